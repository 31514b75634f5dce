//! The link-time table is complete however a job is compiled and linked.
//!
//! The programs in `stage_table/` are built with plain `rustc` around the engine's own
//! `engine/src/ship/table.rs`, once for each way of compiling, and run. Every stage must be in the
//! table exactly once, and a second process of the same binary must run each stage by its position. Two
//! tests remove the mechanisms that the table relies on, and expect it to fail.

#![allow(clippy::unwrap_used, reason = "a test fails by it, also in its support functions")]

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

const LIBRARY: &str = "tests/stage_table/library.rs";
const PROGRAM: &str = "tests/stage_table/program.rs";
const WITHOUT_STAGES: &str = "tests/stage_table/without_stages.rs";
const TABLE: &str = "engine/src/ship/table.rs";

#[test]
fn the_table_holds_without_optimisation() {
    holds(&["-Copt-level=0"]);
}

#[test]
fn the_table_holds_under_full_optimisation() {
    holds(&["-Copt-level=3"]);
}

#[test]
fn the_table_holds_when_optimised_for_size() {
    holds(&["-Copt-level=z"]);
}

#[test]
fn the_table_holds_under_thin_lto() {
    holds(&["-Copt-level=3", "-Clto=thin"]);
    holds(&["-Copt-level=3", "-Clto=thin", "-Ccodegen-units=1"]);
}

#[test]
fn the_table_holds_under_fat_lto() {
    holds(&["-Copt-level=3", "-Clto=fat"]);
}

#[test]
fn the_table_holds_in_a_stripped_binary() {
    holds(&["-Copt-level=3", "-Cstrip=symbols"]);
    holds(&["-Copt-level=0", "-Cstrip=symbols"]);
}

#[test]
fn the_table_holds_in_one_and_in_many_codegen_units() {
    holds(&["-Copt-level=3", "-Ccodegen-units=1"]);
    holds(&["-Copt-level=3", "-Ccodegen-units=16"]);
    holds(&["-Copt-level=0", "-Ccodegen-units=16"]);
}

#[test]
fn the_table_holds_when_a_panic_aborts() {
    holds(&["-Copt-level=3", "-Cpanic=abort"]);
}

#[test]
fn the_table_holds_under_the_test_harness() {
    holds(&["--test", "-Copt-level=0"]);
    holds(&["--test", "-Copt-level=3"]);
}

#[test]
fn the_table_holds_in_the_smallest_release() {
    holds(&["-Copt-level=3", "-Clto=thin", "-Ccodegen-units=1", "-Cstrip=symbols", "-Cpanic=abort"]);
}

#[test]
fn a_program_without_stages_links_and_has_an_empty_table() {
    for flags in [["-Copt-level=0"].as_slice(), &["-Copt-level=3", "-Clto=thin", "-Cstrip=symbols"]] {
        let folder = TempDir::new().unwrap();
        let program = folder.path().join("program");
        rustc(&workspace(), &[flags, &["-o", &program.to_string_lossy(), WITHOUT_STAGES]].concat());
        let said = run(&program);
        assert!(said.starts_with("no stages"), "{flags:?}: {said}");
    }
}

#[test]
fn a_stage_without_its_anchor_is_missed() {
    let said = outcome(&workspace(), &["-Copt-level=0", "--cfg=forget_anchor"]);
    assert!(!said.status.success());
    let errors = String::from_utf8_lossy(&said.stderr);
    assert!(errors.contains("entries of the table"), "{errors}");
}

#[test]
fn a_table_whose_entries_go_to_another_section_is_missed() {
    let copy = sabotaged(
        "kiln_stages,\\\"awR\\\",@progbits\",\n            \".balign 8\"",
        "elsewhere,\\\"awR\\\",@progbits\",\n            \".balign 8\"",
    );
    let said = outcome(copy.path(), &["-Copt-level=3"]);
    assert!(!said.status.success());
}

#[test]
fn cargo_test_leaves_the_stages_of_a_test_in_its_own_table() {
    let numbers =
        kiln::Context::local(1).range(0..10).map(|n| n + 1).key_by(|n| n % 3).reduce_by_key(|a, b| a + b);
    assert_eq!(numbers.count().unwrap(), 3);
    let names: Vec<_> = kiln::stage_names().collect();
    let of_this_file = names.iter().filter(|name| name.contains("cargo_test_leaves_the_stages")).count();
    // The combine, its merge, and the operator of `count`.
    assert!(of_this_file >= 2, "{of_this_file} of {} entries", names.len());
}

/// Builds the library and the program with `flags`, and runs the program.
#[track_caller]
fn holds(flags: &[&str]) {
    let output = outcome(&workspace(), flags);
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("10 stages hold"), "{flags:?}: {said}\n{errors}");
}

fn outcome(sources: &Path, flags: &[&str]) -> Output {
    let folder = TempDir::new().unwrap();
    let (library, program) = (folder.path().join("liblibrary.rlib"), folder.path().join("program"));
    let of_library: Vec<&str> = flags
        .iter()
        .copied()
        .filter(|f| !["--test", "-Clto", "-Cstrip"].iter().any(|not| f.starts_with(not)))
        .collect();
    let library = library.to_string_lossy();
    rustc(sources, &[&of_library[..], &["--crate-type=rlib", "-o", &library, LIBRARY]].concat());
    let library = format!("library={library}");
    rustc(sources, &[flags, &["--extern", &library, "-o", &program.to_string_lossy(), PROGRAM]].concat());
    Command::new(program).arg("--nocapture").output().unwrap()
}

fn rustc(sources: &Path, args: &[&str]) {
    let rustc = env::var_os("RUSTC").unwrap_or("rustc".into());
    let output = Command::new(rustc)
        .args(["--edition=2024", "-Awarnings"])
        .args(args)
        .current_dir(sources)
        .output()
        .unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn run(program: &Path) -> String {
    let output = Command::new(program).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A copy of the sources, with `from` replaced by `to` in the table's file.
fn sabotaged(from: &str, to: &str) -> TempDir {
    let copy = TempDir::new().unwrap();
    for file in [LIBRARY, PROGRAM, TABLE] {
        let text = std::fs::read_to_string(workspace().join(file)).unwrap();
        assert!(file != TABLE || text.contains(from), "the table has changed: {text}");
        let path = copy.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, if file == TABLE { text.replacen(from, to, 1) } else { text }).unwrap();
    }
    copy
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
