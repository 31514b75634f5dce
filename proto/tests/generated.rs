//! The checked-in code is generated from the current `kiln.proto`.
//!
//! After a change of `kiln.proto`: `KILN_REGENERATE=1 cargo test -p kiln-proto`.

#![allow(clippy::unwrap_used, reason = "a failed build of the code is a failed test")]

use std::path::PathBuf;

#[test]
fn the_checked_in_code_is_made_from_kiln_proto() {
    let made = generate();
    let path = crate_dir().join("src/generated/kiln.v1.rs");
    if std::env::var_os("KILN_REGENERATE").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == made, "{} is stale: run KILN_REGENERATE=1 cargo test -p kiln-proto", path.display());
}

/// Generates the code for `kiln.proto`, without a `protoc` on this machine.
fn generate() -> String {
    let files = protox::compile(["kiln.proto"], [crate_dir()]).unwrap();
    let out = tempfile::tempdir().unwrap();
    tonic_prost_build::configure()
        .out_dir(out.path())
        // Cheap to clone: one plan is sent to many executors.
        .bytes(".")
        .emit_rerun_if_changed(false)
        .compile_fds(files)
        .unwrap();
    std::fs::read_to_string(out.path().join("kiln.v1.rs")).unwrap()
}

fn crate_dir() -> PathBuf {
    std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(PathBuf::new, PathBuf::from)
}
