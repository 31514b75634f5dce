//! Verifies `ARCHITECTURE.md`: its paths exist, it names every folder, and dependencies point in one
//! direction.
//!
//! The test reads sources and manifests as text. The order of the engine's modules is listed here: a
//! module may use those before it. Each dependency against the order is listed with its reason, so that
//! a new one is a decision and not an accident.

#![allow(clippy::unwrap_used, reason = "a test fails by it, also in its support functions")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The engine's modules; each may use those before it.
const ORDER: [&str; 29] = [
    "error",
    "failpoint",
    "lock",
    "meter",
    "row",
    "ship",
    "memory",
    "source",
    "config",
    "driver",
    "job",
    "publish",
    "admin",
    "checks",
    "task",
    "connect",
    "shuffle",
    "sort",
    "chain",
    "plan",
    "aggregate",
    "runtime",
    "cluster",
    "context",
    "dataset",
    "operators",
    "sources",
    "actions",
    "lib",
];

/// Dependencies against that order, and their reasons.
const AGAINST_THE_ORDER: [(&str, &str, &str); 5] = [
    ("job", "cluster", "what `#[kiln::main]` calls becomes an executor when it is asked to"),
    ("job", "context", "what `#[kiln::main]` calls makes the context that it hands to the job"),
    ("task", "plan", "a task runs the plan's nodes, which say what a task is given"),
    ("plan", "context", "an operator may run a job before the job: the sample of a sort"),
    ("dataset", "operators", "a chain that must become a plan node ends in columns"),
];

/// The workspace crates that each crate's manifest may name.
const CRATES: [(&str, &[&str]); 9] = [
    ("proto", &[]),
    ("planner", &[]),
    ("engine/derive", &[]),
    ("engine", &["kiln-derive", "kiln-planner", "kiln-proto"]),
    ("cli", &["kiln", "kiln-connectors"]),
    ("connectors", &["kiln"]),
    ("examples", &["kiln"]),
    ("benches", &["kiln"]),
    ("tests", &["kiln", "kiln-connectors"]),
];

/// The only folder that may name the protobuf crate.
const WIRE: &str = "engine/src/cluster";

#[test]
fn every_path_of_the_map_exists() {
    let mut missing = Vec::new();
    let mut folder = workspace();
    for word in quoted(&map()).into_iter().filter(|word| is_path(word)) {
        // A bare file name is relative to the last named folder.
        let path = if word.contains('/') || word.ends_with(".md") {
            workspace().join(&word)
        } else {
            folder.join(&word)
        };
        if word.ends_with('/') {
            folder = path.clone();
        }
        if !path.exists() {
            missing.push(word);
        }
    }
    assert_eq!(missing, [""; 0], "ARCHITECTURE.md names what is not there");
}

#[test]
fn the_map_names_every_crate_and_every_folder_of_the_engine() {
    let named: BTreeSet<String> = quoted(&map()).into_iter().collect();
    let crates = CRATES.iter().map(|(folder, _)| (*folder).to_owned());
    let modules =
        folders(&workspace().join("engine/src")).into_iter().map(|name| format!("engine/src/{name}"));
    let unnamed: Vec<String> =
        crates.chain(modules).filter(|folder| !named.contains(&format!("{folder}/"))).collect();
    assert_eq!(unnamed, [""; 0], "ARCHITECTURE.md does not name these folders");
}

#[test]
fn every_member_of_the_workspace_has_its_arrows_here() {
    let manifest = fs::read_to_string(workspace().join("Cargo.toml")).unwrap();
    let members = manifest.lines().find(|line| line.starts_with("members")).expect("a workspace has members");
    let members: BTreeSet<&str> = members.split('"').skip(1).step_by(2).collect();
    assert_eq!(members, CRATES.iter().map(|(folder, _)| *folder).collect());
}

#[test]
fn crates_depend_on_ours_only_along_the_arrows() {
    for (folder, allowed) in CRATES {
        let manifest = fs::read_to_string(workspace().join(folder).join("Cargo.toml")).unwrap();
        let names = manifest.lines().filter_map(|line| line.split(['.', ' ', '=']).next());
        let ours: BTreeSet<&str> =
            names.filter(|name| *name == "kiln" || name.starts_with("kiln-")).collect();
        let wrong: Vec<&&str> = ours.iter().filter(|name| !allowed.contains(name)).collect();
        assert!(wrong.is_empty(), "{folder} must not depend on {wrong:?}");
    }
}

#[test]
fn modules_of_the_engine_use_those_before_them_and_the_listed_others() {
    let at = |module: &str| ORDER.iter().position(|known| *known == module);
    let mut against = BTreeSet::new();
    for (module, files) in modules() {
        let place = at(&module).unwrap_or_else(|| panic!("`{module}` has no place in the order"));
        for (file, used) in files.iter().flat_map(|file| uses(file).into_iter().map(move |used| (file, used)))
        {
            let Some(other) = at(&used) else { panic!("{}: `crate::{used}` is no module", file.display()) };
            if other > place {
                against.insert((module.clone(), used));
            }
        }
    }
    let listed = AGAINST_THE_ORDER.map(|(from, to, _)| (from.to_owned(), to.to_owned()));
    assert_eq!(against, BTreeSet::from(listed), "arrows against the order: found, and listed");
}

#[test]
fn only_the_cluster_folder_names_the_wire() {
    let naming: Vec<PathBuf> = sources(&workspace().join("engine/src"))
        .into_iter()
        .filter(|file| !file.starts_with(workspace().join(WIRE)) && code(file).contains("kiln_proto"))
        .collect();
    assert!(naming.is_empty(), "{naming:?}");
}

#[test]
fn the_map_names_every_file_with_unsafe_code() {
    let map = map();
    let section = map.split("\n## ").find(|part| part.starts_with("Where the unsafe code is")).unwrap();
    let named: BTreeSet<PathBuf> =
        quoted(section).into_iter().filter(|word| is_path(word)).map(|word| workspace().join(word)).collect();
    let is_unsafe = |file: &PathBuf| code(file).contains("unsafe ") || code(file).contains("(unsafe_code)");
    let found: BTreeSet<PathBuf> =
        sources(&workspace().join("engine/src")).into_iter().filter(is_unsafe).collect();
    // `lib.rs` denies what the others allow.
    let denying = workspace().join("engine/src/lib.rs");
    assert_eq!(named, found.into_iter().filter(|file| *file != denying).collect());
}

#[test]
fn the_driver_knows_no_clock_no_socket_and_no_thread() {
    for file in sources(&workspace().join("engine/src/driver")) {
        let code = code(&file);
        for word in
            ["Instant::now", "SystemTime", "std::net", "tokio", "std::thread", "std::process", "std::fs"]
        {
            assert!(!code.contains(word), "{} names {word}", file.display());
        }
    }
}

fn map() -> String {
    fs::read_to_string(workspace().join("ARCHITECTURE.md")).unwrap()
}

/// The words between backticks, in order; code blocks have none.
fn quoted(text: &str) -> Vec<String> {
    let outside = text.split("```").step_by(2);
    outside.flat_map(|part| part.split('`').skip(1).step_by(2)).map(String::from).collect()
}

fn is_path(word: &str) -> bool {
    let is_plain = word.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
    is_plain
        && (word.contains('/') || [".rs", ".md", ".proto", ".toml"].iter().any(|end| word.ends_with(end)))
}

/// The engine's modules with their files; a file beside `lib.rs` is a module, too.
fn modules() -> Vec<(String, Vec<PathBuf>)> {
    let source = workspace().join("engine/src");
    let mut modules: Vec<(String, Vec<PathBuf>)> = Vec::new();
    for entry in fs::read_dir(&source).unwrap().map(|entry| entry.unwrap().path()) {
        let name = entry.file_stem().unwrap().to_string_lossy().into_owned();
        let files = if entry.is_dir() { sources(&entry) } else { vec![entry] };
        modules.push((name, files));
    }
    assert!(modules.len() > 10, "the engine has modules");
    modules
}

/// The modules that a file names as `crate::a` or in `crate::{a, b}`. Other names are public items,
/// which only users should import from the root.
fn uses(file: &Path) -> BTreeSet<String> {
    let first_name = |path: &str| {
        let is_end = |c: char| !c.is_ascii_alphanumeric() && c != '_';
        path.trim().split(is_end).next().unwrap_or("").to_owned()
    };
    let code = code(file);
    let paths = code.split("crate::").skip(1).flat_map(|rest| match rest.strip_prefix('{') {
        Some(list) => list.split('}').next().unwrap_or("").split(',').collect(),
        None => vec![rest],
    });
    paths.map(first_name).filter(|name| !name.is_empty()).collect()
}

/// All Rust files below a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
    files
}

/// A file without its comments and its unit tests, which may use anything.
fn code(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or("");
    text.lines().map(|line| line.split("//").next().unwrap_or("").to_owned() + "\n").collect()
}

fn folders(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
