//! Reads the log of a Delta table in a folder, by the protocol: one JSON object per line, one file per
//! version.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The files of the last version of the table in `folder`; `None` without a log.
pub(crate) fn live(folder: &Path) -> Option<BTreeSet<String>> {
    let mut live = BTreeSet::new();
    for action in actions(folder)? {
        if let Some(path) = path_of(&action, "remove") {
            live.remove(&path);
        }
        live.extend(path_of(&action, "add"));
    }
    Some(live)
}

/// The files of all versions.
pub(crate) fn named(folder: &Path) -> BTreeSet<String> {
    let actions = actions(folder).unwrap_or_default();
    actions.iter().filter_map(|action| path_of(action, "add")).collect()
}

/// All actions in order; within one version, added files come last.
fn actions(folder: &Path) -> Option<Vec<serde_json::Value>> {
    let entries = fs::read_dir(folder.join("_delta_log")).ok()?;
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    let of_version = |path| {
        let text = fs::read_to_string(path).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let (adds, others): (Vec<_>, Vec<_>) = lines.partition(|action| !action["add"].is_null());
        others.into_iter().chain(adds)
    };
    Some(paths.into_iter().flat_map(of_version).collect())
}

fn path_of(action: &serde_json::Value, kind: &str) -> Option<String> {
    let path = action[kind]["path"].as_str()?;
    // Names of these tests are percent-encoded in the log.
    Some(super::decoded(path))
}
