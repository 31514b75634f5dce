//! The log of a Delta table as a reader that is not Kiln's sees it: its commits, as long as there is no checkpoint.

use std::path::Path;

use serde_json::Value;

/// The actions of each commit.
fn commits(root: &Path) -> Vec<Vec<Value>> {
    let read = |version: u64| std::fs::read_to_string(root.join(format!("_delta_log/{version:020}.json")));
    let commits = (0..).map_while(|version| read(version).ok());
    commits.map(|text| text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()).collect()
}

/// The paths that `action` has in the commits, in their order.
fn paths(commit: &[Value], action: &str) -> Vec<String> {
    // A path is a URI, but no character of these names is encoded.
    commit.iter().filter_map(|line| line[action]["path"].as_str()).map(str::to_owned).collect()
}

/// The files of the last version.
pub(crate) fn live(root: &Path) -> Vec<String> {
    let mut live = Vec::new();
    for commit in commits(root) {
        let removed = paths(&commit, "remove");
        live.retain(|path| !removed.contains(path));
        live.extend(paths(&commit, "add"));
    }
    live
}

/// The files of all versions.
pub(crate) fn named(root: &Path) -> Vec<String> {
    commits(root).iter().flat_map(|commit| paths(commit, "add")).collect()
}

/// The versions that a publish has made: a claim makes one, too, which changes nothing.
pub(crate) fn publishes(root: &Path) -> Vec<u64> {
    let is_publish =
        |commit: &[Value]| commit.iter().any(|line| line["commitInfo"]["kiln"]["scope"].is_object());
    let publishes = commits(root).into_iter().zip(0..).filter(|(commit, _)| is_publish(commit));
    publishes.map(|(_, version)| version).collect()
}

/// Files of the log that were not brought to their names.
pub(crate) fn temporary(root: &Path) -> Vec<String> {
    let Ok(entries) = root.join("_delta_log").read_dir() else { return Vec::new() };
    let names = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    names.filter(|name| name.ends_with(".tmp")).collect()
}
