//! The working folders of jobs: lists their contents, and waits for files.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Time limit of a wait.
const LIMIT: Duration = Duration::from_secs(30);
/// Interval at which a folder is checked.
const LOOK: Duration = Duration::from_millis(2);

/// The paths of all files and folders below `folder`, relative to it and sorted.
pub(crate) fn tree(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            found.push(path.strip_prefix(folder).unwrap().to_path_buf());
            if path.is_dir() {
                open.push(path);
            }
        }
    }
    found.sort();
    found
}

/// As [`tree`], without Kiln's records of outputs and runs.
pub(crate) fn data(folder: &Path) -> Vec<PathBuf> {
    let is_record = |path: &PathBuf| path.iter().any(|name| name == "_kiln" || name == "_SUCCESS");
    tree(folder).into_iter().filter(|path| !is_record(path)).collect()
}

/// The data files of an output and their bytes.
pub(crate) fn files(output: &Path) -> BTreeMap<String, Vec<u8>> {
    let content =
        |path: &Path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(path).unwrap());
    let paths = fs::read_dir(output).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| !path.ends_with("_SUCCESS")).map(|path| content(&path)).collect()
}

/// How many names in `folder` start with `prefix`.
pub(crate) fn count(folder: &Path, prefix: &str) -> usize {
    let names = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.file_name());
    names.filter(|name| name.to_string_lossy().starts_with(prefix)).count()
}

/// Waits until `count` names in `folder` start with `prefix`.
#[track_caller]
pub(crate) fn wait_for(folder: &Path, prefix: &str, wanted: usize) {
    wait_until(&format!("{wanted} {prefix}* in {}", folder.display()), || count(folder, prefix) >= wanted);
}

/// Waits until `holds` returns true.
#[track_caller]
pub(crate) fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let end = Instant::now() + LIMIT;
    while !holds() {
        assert!(Instant::now() < end, "waited {LIMIT:?} for {what}");
        std::thread::sleep(LOOK);
    }
}
