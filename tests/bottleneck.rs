//! The bottleneck that a run reports: each resource in turn is made the slow one, in real processes, on threads and on
//! executors. The network has its case in the suite of PostgreSQL, whose server tells when it cannot send.

#![allow(clippy::unwrap_used, reason = "a test fails by it, also in its support functions")]

#[path = "support/job.rs"]
mod job;
#[path = "support/processes.rs"]
mod processes;

use job::{EVERYWHERE, Ended, Job};
use tempfile::TempDir;

const LIMITED: &str = env!("CARGO_BIN_EXE_limited");

/// A job limited by what `--by` says.
fn limited(by: &str, place: &str, folder: &TempDir) -> Job {
    let output = folder.path().join("out");
    Job::new(LIMITED).on(place).option("--by", by).option("--output", output)
}

/// The resource that the run names, in its result and for people.
fn named(ended: &Ended) -> String {
    assert_eq!(ended.code(), Some(0), "{}", ended.stderr);
    let result = ended.json();
    let resource = result["bottleneck"]["resource"].as_str().unwrap_or("none").to_owned();
    let share = result["bottleneck"]["share"].as_f64().unwrap_or(0.0);
    assert!((0.0..=1.0).contains(&share), "{result}");
    assert!(ended.stderr.contains(&format!("bottleneck {resource} (")), "{}", ended.stderr);
    resource
}

#[test]
fn a_source_that_keeps_tasks_waiting_is_the_bottleneck() {
    for place in EVERYWHERE {
        let folder = TempDir::new().unwrap();
        assert_eq!(named(&limited("source", place, &folder).run()), "source", "{place}");
    }
}

#[test]
fn closures_that_compute_make_the_processor_the_bottleneck() {
    for place in EVERYWHERE {
        let folder = TempDir::new().unwrap();
        assert_eq!(named(&limited("processor", place, &folder).run()), "processor", "{place}");
    }
}

#[test]
fn rows_that_go_to_temporary_files_for_want_of_memory_make_memory_the_bottleneck() {
    for place in EVERYWHERE {
        let folder = TempDir::new().unwrap();
        let slow =
            |memory| limited("memory", place, &folder).env("KILN_SLOW", "spill=2").env("KILN_MEMORY", memory);
        assert_eq!(named(&slow("16MB").run()), "memory", "{place}");
        let output = folder.path().join("out");
        std::fs::remove_dir_all(output).unwrap();
        let ended = slow("4GB").run();
        assert_eq!(ended.code(), Some(0), "{}", ended.stderr);
        assert_ne!(ended.json()["bottleneck"]["resource"], "memory", "{place}: nothing is spilled");
    }
}

#[test]
fn a_slow_disk_is_the_bottleneck() {
    for place in EVERYWHERE {
        let folder = TempDir::new().unwrap();
        let job = limited("output", place, &folder).env("KILN_SLOW", "file.write=250");
        assert_eq!(named(&job.run()), "disk", "{place}");
    }
}

#[test]
fn a_target_that_keeps_tasks_waiting_is_the_bottleneck() {
    for place in EVERYWHERE {
        let folder = TempDir::new().unwrap();
        assert_eq!(named(&limited("target", place, &folder).run()), "target", "{place}");
    }
}

#[test]
fn a_short_run_names_none() {
    let folder = TempDir::new().unwrap();
    let ended = limited("output", "local[2]", &folder).run();
    assert_eq!(ended.code(), Some(0), "{}", ended.stderr);
    assert!(ended.json()["bottleneck"].is_null() && !ended.stderr.contains("bottleneck"));
}
