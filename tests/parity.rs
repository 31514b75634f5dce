//! Keeps `docs/spark.md` true: every name in its second column is a public method.

#![allow(clippy::unwrap_used, reason = "a test fails by it, also in its support functions")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn every_name_beside_one_of_sparks_is_a_public_method() {
    let (page, methods) = (fs::read_to_string(root().join("docs/spark.md")).unwrap(), methods());
    let rows = page.lines().filter(|line| line.starts_with('|') && line.contains('`'));
    let names: BTreeSet<&str> = rows.flat_map(second_column).collect();
    assert!(names.len() > 80, "only {} names were found", names.len());
    let missing: Vec<&&str> = names.iter().filter(|name| !methods.contains(**name)).collect();
    assert!(missing.is_empty(), "docs/spark.md names what is no public method: {missing:?}");
}

/// The names between backticks in the second column of a table's row.
fn second_column(row: &str) -> impl Iterator<Item = &str> {
    row.split('|').nth(2).unwrap_or("").split('`').skip(1).step_by(2)
}

fn methods() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for folder in ["operators", "actions", "sources", "context", "dataset"] {
        let mut waiting = vec![root().join("engine/src").join(folder)];
        while let Some(path) = waiting.pop() {
            match path.is_dir() {
                true => waiting.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path())),
                false => found.extend(methods_of(&path)),
            }
        }
    }
    found.extend(methods_of(&root().join("engine/src/context.rs")));
    found
}

fn methods_of(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap();
    let name =
        |rest: &str| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or("").to_owned();
    text.split("pub fn ").skip(1).map(name).collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
