//! `KILN_IF_RUNNING` where no lock shows that another attempt is alive: in an object store, and for a
//! table in any location.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::job::{Job, Running};
use super::s3::{BUCKET, S3};
use super::{folder, small};

/// How long a dead attempt may be taken for alive, including the duration of a job.
const SILENCE: Duration = Duration::from_secs(20);

/// A location for outputs, and a gate at which tasks wait.
struct Place {
    s3: S3,
    gate: tempfile::TempDir,
    /// The options for the form of the output.
    form: &'static str,
    output: String,
    _disk: tempfile::TempDir,
}

impl Place {
    fn all() -> Vec<Place> {
        let places = [("--plain", true), ("--delta", true), ("--delta", false)].into_iter();
        let place = |(form, is_store)| {
            let [gate, disk] = [(); 2].map(|()| tempfile::tempdir().unwrap());
            let path = disk.path().join("rows").display().to_string();
            let output = if is_store { format!("s3://{BUCKET}/out/rows") } else { path };
            Place { s3: S3::start(), gate, form, output, _disk: disk }
        };
        places.map(place).collect()
    }

    fn attempt(&self, number: u32, wish: &str) -> Job {
        let job = small("local[2]").arg(self.form).option("--output", &self.output);
        let job = job.env("KILN_RUN_ID", "nightly").env("KILN_ATTEMPT", number.to_string());
        self.s3.tell(job.env("KILN_IF_RUNNING", wish))
    }

    /// The first attempt, which waits at the gate.
    fn first(&self, wish: &str) -> Running {
        let first = self.attempt(1, wish).option("--gate", self.gate.path()).start();
        folder::wait_for(self.gate.path(), "waits-", 1);
        first
    }

    fn open(&self) {
        std::fs::write(self.gate.path().join("open"), "").unwrap();
    }

    /// The objects by which attempts show that they are alive.
    fn signs(&self) -> Vec<PathBuf> {
        let root = if self.output.starts_with("s3:") {
            self.s3.bucket().join("out")
        } else {
            Path::new(&self.output).parent().unwrap().to_owned()
        };
        let files = folder::tree(&root).into_iter().filter(|path| root.join(path).is_file());
        files.filter(|path| path.starts_with("_kiln/alive")).collect()
    }
}

#[test]
fn an_attempt_gives_way_to_one_that_is_alive_and_takes_over_from_one_that_was_killed() {
    for place in Place::all() {
        let first = place.first("skip");
        assert_eq!(place.signs().len(), 1);
        let second = place.attempt(2, "skip").run();
        second.exits(99);
        assert!(second.stderr.contains("another attempt of this run is under way"), "{}", second.stderr);

        first.signal(Signal::KILL);
        assert_eq!(first.wait().killed_by(), Some(9));
        let begun = Instant::now();
        place.attempt(3, "skip").run().ok();
        assert!(begun.elapsed() < SILENCE, "{:?}", begun.elapsed());
    }
}

#[test]
fn an_attempt_waits_for_one_that_is_alive_and_finds_the_run_published() {
    for place in Place::all() {
        let first = place.first("wait");
        let second = place.attempt(2, "wait").option("--offset", "1000").start();
        second.says("waiting for attempt 1 of this run to end");
        place.open();
        let first = first.wait().ok();
        let second = second.wait().ok();
        assert_eq!(second.json()["outputs"], first.json()["outputs"]);
        assert!(place.signs().is_empty(), "an attempt that has ended shows nothing");
    }
}

#[test]
fn waiting_has_a_limit_and_leaves_the_other_attempt_alone() {
    for place in Place::all() {
        let first = place.first("wait");
        let second = place.attempt(2, "wait").env("KILN_WAIT_LIMIT", "1s").run();
        second.fails(75, "transient", &["another attempt of this run is still under way"]);
        assert_eq!(second.json()["reason"], "attempt_running");
        place.open();
        first.wait().ok();
    }
}

#[test]
fn an_attempt_that_shows_no_sign_is_replaced_at_once() {
    for place in Place::all() {
        let first = place.first("replace");
        assert!(place.signs().is_empty());
        place.attempt(2, "wait").run().ok();
        place.open();
        first.wait().fails(73, "fenced", &["a newer attempt of this run has taken over"]);
    }
}
