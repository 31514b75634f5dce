//! `kiln rerun` runs the recorded job again.

use std::fs;

use super::{Place, endings};
use crate::job::Job;

#[test]
fn a_failed_run_is_started_again_after_its_input_was_mended() {
    for place in Place::all() {
        let desk = tempfile::tempdir().unwrap();
        fs::write(desk.path().join("lines.csv"), "n,text\nnone,a\n").unwrap();
        let job = Job::new(env!("CARGO_BIN_EXE_copy")).on("local[1]").in_folder(desk.path());
        let job =
            job.option("--input", "lines.csv").option("--output", place.uri()).option("--run-id", "nightly");
        place.tell(job).run().exits(65);

        let rerun =
            |more: &[&str]| place.kiln(&[&["rerun", "nightly", "--output", &place.uri()], more].concat());
        // The exit code is that of the job, even if the job fails again.
        rerun(&[]).exits(65);
        fs::write(desk.path().join("lines.csv"), "n,text\n1,a\n2,b\n").unwrap();
        rerun(&[]).ok();
        let expected = ["nightly 3 published null", "nightly 2 failed data", "nightly 1 failed data"];
        assert_eq!(endings(&place.records()), expected);
        assert_eq!(place.records()[0]["outputs"][0]["rows"], 2);
        // The run is already published. As a new run, the job finds that its output exists.
        rerun(&[]).ok();
        rerun(&["--new-run"]).exits(78);
        assert_eq!(place.records().len(), 5);
    }
}

#[test]
fn what_cannot_be_started_again_is_refused_with_the_reason() {
    let place = Place::Disk(tempfile::tempdir().unwrap());
    let rerun = |run: &str| place.kiln(&["rerun", run, "--output", &place.uri()]);
    let unknown = rerun("nightly");
    unknown.exits(78);
    assert!(unknown.stderr.contains("no such run is recorded"), "{}", unknown.stderr);
    // The test starts the job in a folder that no longer exists afterwards.
    place.attempt("error", 1).run().ok();
    let gone = rerun("nightly");
    gone.exits(78);
    assert!(gone.stderr.contains("the recorded job cannot be started"), "{}", gone.stderr);
}
