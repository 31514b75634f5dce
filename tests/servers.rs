//! Publishing and reading, the same on every kind of store: the disk, the memory of a process, and two S3 servers, `s3s` in
//! the test process and moto.
//!
//! README.md has the command: moto is a Python program, so that this runs only when it is named.

#![allow(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

#[path = "support/folder.rs"]
mod folder;
#[path = "support/job.rs"]
mod job;
#[path = "support/moto.rs"]
mod moto;
#[path = "support/processes.rs"]
mod processes;
#[path = "support/s3.rs"]
mod s3;
#[path = "servers/uploads.rs"]
mod uploads;

use job::Job;
use moto::Moto;
use rustix::process::Signal;
use s3::{BUCKET, S3};

const MODES: [&str; 5] = ["error", "overwrite", "append", "append-once", "replace-partitions"];
/// What a job is told about the form of its output: nothing, and so a table in a store, or that it is to be plain.
const FORMS: [&str; 2] = ["", "--plain"];
/// The steps of a commit at which a driver is killed, and whether its rows are published then.
const STEPS: [(&str, bool); 3] = [("claimed", false), ("commit.ready", false), ("commit.published", true)];

/// Where outputs are.
enum Place {
    Disk(tempfile::TempDir),
    S3s(S3),
    Moto(Moto),
}

impl Place {
    fn all() -> [Place; 3] {
        [Place::Disk(tempfile::tempdir().unwrap()), Place::S3s(S3::start()), Place::Moto(Moto::start())]
    }

    fn uri(&self, name: &str) -> String {
        match self {
            Place::Disk(place) => place.path().join(name).display().to_string(),
            Place::S3s(_) | Place::Moto(_) => format!("s3://{BUCKET}/{name}"),
        }
    }

    fn tell(&self, job: Job) -> Job {
        match self {
            Place::Disk(_) => job,
            Place::S3s(s3) => s3.tell(job),
            Place::Moto(moto) => moto.tell(job),
        }
    }

    fn job(&self, name: &str, mode: &str, offset: u64) -> Job {
        let job = self.tell(small()).option("--mode", mode).option("--offset", offset.to_string());
        let job = if mode == "replace-partitions" { job.arg("--by-day") } else { job };
        job.option("--output", self.uri(name))
    }

    fn attempt(&self, name: &str, mode: &str, offset: u64, number: u32) -> Job {
        self.job(name, mode, offset).env("KILN_RUN_ID", "nightly").env("KILN_ATTEMPT", number.to_string())
    }

    /// How many rows the output has, and their sum, as Kiln reads it.
    fn read(&self, name: &str, mode: &str) -> String {
        let job = self.tell(small()).option("--read", self.uri(name));
        let job = if mode == "replace-partitions" { job.arg("--by-day") } else { job };
        job.run().ok().stdout.trim().to_owned()
    }
}

fn with_form(job: Job, form: &str) -> Job {
    if form.is_empty() { job } else { job.arg(form) }
}

fn small() -> Job {
    Job::new(env!("CARGO_BIN_EXE_small")).on("local[2]")
}

/// What [`Place::read`] says of 600 numbers from each of `offsets` on.
fn rows(offsets: &[u64]) -> String {
    let sum: u64 = offsets.iter().map(|offset| 600 * offset + 599 * 300).sum();
    format!("{} rows, sum {sum}", 600 * offsets.len())
}

fn publishing(below: &str) -> Job {
    Job::new(env!("CARGO_BIN_EXE_publishing")).on("local[1]").option("--below", below)
}

#[test]
fn every_mode_attempt_and_run_does_the_same_on_every_store() {
    let memory = publishing("memory:///suite").run().ok();
    assert!(memory.stdout.contains("every mode does what it should"), "{}", memory.stdout);
    for place in Place::all() {
        let ended = place.tell(publishing(&place.uri("suite"))).run().ok();
        assert_eq!(ended.stdout, memory.stdout);
    }
}

#[test]
fn a_driver_that_is_killed_is_followed_by_a_retry_that_publishes_once() {
    for place in Place::all() {
        for (form, mode) in FORMS.into_iter().flat_map(|form| MODES.map(|mode| (form, mode))) {
            STEPS.into_iter().for_each(|step| check_retry(&place, form, mode, step));
        }
    }
}

fn check_retry(place: &Place, form: &str, mode: &str, (step, is_published): (&str, bool)) {
    let name = format!("killed{form}/{mode}/{step}");
    let before: &[u64] = if mode.starts_with("append") { &[10_000] } else { &[] };
    if mode != "error" {
        with_form(place.job(&name, mode.trim_end_matches("-once"), 10_000), form).run().ok();
    }
    let killed = with_form(place.attempt(&name, mode, 0, 1), form);
    let killed = killed.env("KILN_FAILPOINT", format!("{step}=kill")).run();
    assert_eq!(killed.killed_by(), Some(9), "{name} is not reached: {}", killed.stderr);
    with_form(place.attempt(&name, mode, 1000, 2), form).run().ok();
    let offset = if is_published { 0 } else { 1000 };
    assert_eq!(place.read(&name, mode), rows(&[&[offset], before].concat()), "{name}");
}

#[test]
fn an_attempt_that_was_stopped_is_fenced_by_its_retry() {
    for place in Place::all() {
        for form in FORMS {
            let name = format!("stopped{form}");
            let old = with_form(place.attempt(&name, "append", 0, 1), form);
            let old = old.env("KILN_FAILPOINT", "commit.ready=stop").start();
            old.wait_until_stopped();
            with_form(place.attempt(&name, "append", 1000, 2), form).run().ok();
            old.signal(Signal::CONT);
            old.wait().fails(73, "fenced", &["a newer attempt of this run has taken over"]);
            assert_eq!(place.read(&name, "append"), rows(&[1000]));
        }
    }
}
