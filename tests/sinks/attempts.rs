//! Attempts of one run that are killed, stopped, doubled or late, on disk and in a store: the rows are
//! published once.
//!
//! A failpoint kills or stops the driver at a named step, so every test knows that its fault has
//! struck.

use std::path::{Path, PathBuf};

use kiln::{Context, Row};
use rustix::process::Signal;

use super::job::{Ended, Job, Running};
use super::s3::{BUCKET, S3};
use super::{folder, small, table};

/// The steps at which a driver on disk can be killed, and whether its rows are published by then.
const ON_DISK: [(&str, bool); 6] = [
    ("claimed", false),
    ("commit.ready", false),
    ("commit.decided", true),
    ("commit.applied", true),
    ("commit.renamed", true),
    ("commit.published", true),
];
/// The same for an object store.
const IN_S3: [(&str, bool); 5] = [
    ("claimed", false),
    ("commit.ready", false),
    ("commit.published", true),
    ("commit.manifest", true),
    ("commit.removed", true),
];
const MODES: [&str; 5] = ["error", "overwrite", "append", "append-once", "replace-partitions"];

/// The same for a Delta table in any location.
const IN_TABLES: [(&str, bool); 3] =
    [("claimed", false), ("commit.ready", false), ("commit.published", true)];

#[derive(Row)]
struct Number {
    n: u64,
}

/// The location of a test's outputs, and whether they are Delta tables.
struct Place {
    store: Store,
    is_table: bool,
}

enum Store {
    Disk(tempfile::TempDir),
    S3(S3),
}

impl Place {
    fn all() -> [Place; 4] {
        let stores = [Store::Disk(tempfile::tempdir().unwrap()), Store::S3(S3::start())];
        let tables = [Store::Disk(tempfile::tempdir().unwrap()), Store::S3(S3::start())];
        let [disk, s3] = stores.map(|store| Place { store, is_table: false });
        let [table, s3_table] = tables.map(|store| Place { store, is_table: true });
        [disk, s3, table, s3_table]
    }

    /// The steps at which a driver can be killed, and whether its rows are published by then.
    fn steps(&self) -> &'static [(&'static str, bool)] {
        match self.store {
            _ if self.is_table => &IN_TABLES,
            Store::Disk(_) => &ON_DISK,
            Store::S3(_) => &IN_S3,
        }
    }

    fn job(&self, mode: &str, offset: u64) -> Job {
        let job = small("local[2]").option("--mode", mode).option("--offset", offset.to_string());
        let job = if mode == "replace-partitions" { job.arg("--by-day") } else { job };
        // Requests the form that is not the default of the store.
        match &self.store {
            Store::Disk(place) => {
                let job = if self.is_table { job.arg("--delta") } else { job };
                job.option("--output", place.path().join("rows"))
            }
            Store::S3(s3) => {
                let job = if self.is_table { job } else { job.arg("--plain") };
                s3.tell(job.option("--output", format!("s3://{BUCKET}/out/rows")))
            }
        }
    }

    fn attempt(&self, mode: &str, offset: u64, number: u32) -> Job {
        self.job(mode, offset).env("KILN_RUN_ID", "nightly").env("KILN_ATTEMPT", number.to_string())
    }

    /// The folder of the output, also in the store, whose buckets are folders.
    fn folder(&self) -> PathBuf {
        match &self.store {
            Store::Disk(place) => place.path().join("rows"),
            Store::S3(s3) => s3.bucket().join("out/rows"),
        }
    }

    /// All numbers of the output, in order.
    fn numbers(&self) -> Vec<u64> {
        let mut numbers = match &self.store {
            _ if self.is_table => {
                let address = self.folder().display().to_string();
                let numbers = Context::local(1).read().delta::<Number>(&address).map(|number| number.n);
                numbers.collect().unwrap()
            }
            Store::Disk(_) => numbers_below(&self.folder()),
            Store::S3(s3) => {
                let copy = tempfile::tempdir().unwrap();
                for key in s3.manifest("out/rows") {
                    std::fs::copy(s3.bucket().join(&key), copy.path().join(key.replace('/', "+"))).unwrap();
                }
                numbers_below(copy.path())
            }
        };
        numbers.sort_unstable();
        numbers
    }

    /// How often the output was published; a table also counts claims of retries.
    fn version(&self) -> Option<u64> {
        let manifest = std::fs::read(self.folder().join("_SUCCESS")).ok()?;
        serde_json::from_slice::<serde_json::Value>(&manifest).unwrap()["version"].as_u64()
    }

    fn check_clean(&self) {
        match &self.store {
            Store::Disk(_) if self.is_table => {}
            Store::Disk(place) => assert!(!place.path().join(".kiln-stage").exists()),
            Store::S3(s3) => assert_eq!(s3.unpublished("out/rows"), [""; 0]),
        }
    }
}

fn numbers_below(folder: &Path) -> Vec<u64> {
    let folders = folder::data(folder).into_iter().map(|path| folder.join(path)).filter(|path| path.is_dir());
    folders.chain([folder.to_path_buf()]).flat_map(|folder| table::numbers(&folder)).collect()
}

/// Writes rows before a test.
fn prepare(place: &Place, mode: &str) -> Vec<u64> {
    if mode == "error" {
        return Vec::new();
    }
    place.job(mode.trim_end_matches("-once"), 10_000).run().ok();
    if mode.starts_with("append") { (10_000..10_600).collect() } else { Vec::new() }
}

fn rows(before: &[u64], offset: u64) -> Vec<u64> {
    (offset..offset + 600).chain(before.iter().copied()).collect()
}

/// Whether the mode has the step.
fn has(mode: &str, step: &str) -> bool {
    step != "commit.applied" || matches!(mode, "append" | "append-once" | "replace-partitions")
}

#[test]
fn a_driver_killed_at_any_step_is_followed_by_a_retry_that_publishes_the_rows_once() {
    for mode in MODES {
        for at in 0..Place::all().len() {
            for (step, is_published) in Place::all()[at].steps() {
                if has(mode, step) {
                    let place = Place::all().into_iter().nth(at).unwrap();
                    check_retry(&place, mode, step, *is_published);
                }
            }
        }
    }
}

fn check_retry(place: &Place, mode: &str, step: &str, is_published: bool) {
    let before = prepare(place, mode);
    let killed = place.attempt(mode, 0, 1).env("KILN_FAILPOINT", format!("{step}=kill")).run();
    assert_eq!(killed.killed_by(), Some(9), "{mode} {step} is not reached: {}", killed.stderr);
    // The retry has different rows, so that the test can tell whose rows are published.
    let offset = if is_published { 0 } else { 1000 };
    for attempt in 2..4 {
        place.attempt(mode, 1000 * u64::from(attempt - 1), attempt).run().ok();
        assert_eq!(place.numbers(), rows(&before, offset), "{mode} {step}, attempt {attempt}");
    }
    if !place.is_table {
        assert_eq!(place.version(), Some(1 + u64::from(mode != "error")), "{mode} {step}");
    }
    if let Store::Disk(_) = place.store {
        place.check_clean();
    }
}

/// An attempt that was stopped at `step`.
fn stopped(place: &Place, mode: &str, step: &str) -> Running {
    let old = place.attempt(mode, 0, 1).env("KILN_FAILPOINT", format!("{step}=stop")).start();
    old.wait_until_stopped();
    old
}

fn is_fenced(ended: &Ended) {
    ended.fails(73, "fenced", &["a newer attempt of this run has taken over"]);
    assert_eq!(ended.json()["outputs"], serde_json::json!([]));
}

#[test]
fn an_attempt_that_was_stopped_does_not_publish_after_its_retry() {
    for mode in MODES {
        for step in ["claimed", "commit.ready"] {
            for place in Place::all() {
                let before = prepare(&place, mode);
                let old = stopped(&place, mode, step);
                place.attempt(mode, 1000, 2).run().ok();
                old.signal(Signal::CONT);
                is_fenced(&old.wait());
                assert_eq!(place.numbers(), rows(&before, 1000), "{mode} {step}");
                place.check_clean();
            }
        }
    }
}

#[test]
fn an_attempt_does_not_publish_while_its_retry_works() {
    for mode in MODES {
        for place in Place::all() {
            let before = prepare(&place, mode);
            let old = stopped(&place, mode, "commit.ready");
            let new = place.attempt(mode, 1000, 2).env("KILN_FAILPOINT", "commit.ready=stop").start();
            new.wait_until_stopped();
            old.signal(Signal::CONT);
            is_fenced(&old.wait());
            new.signal(Signal::CONT);
            new.wait().ok();
            assert_eq!(place.numbers(), rows(&before, 1000), "{mode}");
            place.check_clean();
        }
    }
}

#[test]
fn an_attempt_that_counts_itself_older_does_not_begin() {
    for place in Place::all() {
        let new = stopped_attempt_two(&place);
        is_fenced(&place.attempt("overwrite", 1000, 1).run());
        new.signal(Signal::CONT);
        new.wait().ok();
        assert_eq!(place.numbers(), rows(&[], 0));
    }
}

fn stopped_attempt_two(place: &Place) -> Running {
    let new = place.attempt("overwrite", 0, 2).env("KILN_FAILPOINT", "claimed=stop").start();
    new.wait_until_stopped();
    new
}

#[test]
fn a_run_that_began_earlier_does_not_remove_what_a_later_one_has_published() {
    for mode in ["overwrite", "replace-partitions"] {
        for place in Place::all() {
            let old = place.job(mode, 0).env("KILN_FAILPOINT", "commit.ready=stop").start();
            old.wait_until_stopped();
            place.job(mode, 1000).run().ok();
            old.signal(Signal::CONT);
            old.wait().fails(73, "fenced", &["a run that began later has published here"]);
            assert_eq!(place.numbers(), rows(&[], 1000), "{mode}");
            place.check_clean();
        }
    }
}

#[test]
fn different_runs_that_append_at_once_all_do() {
    for place in Place::all() {
        let old = place.job("append", 0).env("KILN_FAILPOINT", "commit.ready=stop").start();
        old.wait_until_stopped();
        place.job("append", 600).run().ok();
        old.signal(Signal::CONT);
        old.wait().ok();
        assert_eq!(place.numbers(), (0..1200).collect::<Vec<u64>>());
    }
}

#[test]
fn the_same_run_again_reports_the_same_and_does_no_work() {
    for mode in MODES {
        for place in Place::all() {
            let job = |gate: &Path| place.job(mode, 0).env("KILN_RUN_ID", "nightly").option("--gate", gate);
            let open = tempfile::tempdir().unwrap();
            std::fs::write(open.path().join("open"), "").unwrap();
            let first = job(open.path()).option("--odd-rows", "3").run().ok();
            // If its tasks ran, they would wait at this gate and create a file there.
            let closed = tempfile::tempdir().unwrap();
            let second = job(closed.path()).run().ok();
            assert_eq!(closed.path().read_dir().unwrap().count(), 0, "{mode}: tasks ran");
            for field in ["status", "outputs", "counters"] {
                assert_eq!(second.json()[field], first.json()[field], "{mode} {field}");
            }
            assert_eq!(place.numbers(), rows(&[], 0), "{mode}");
        }
    }
}

#[test]
fn append_once_without_a_run_id_is_refused() {
    for place in Place::all() {
        place.job("append-once", 0).run().fails(78, "config", &["append-once needs a run id", "KILN_RUN_ID"]);
    }
}

#[test]
fn an_output_that_was_removed_is_published_again_by_its_run() {
    for place in Place::all() {
        place.attempt("error", 0, 1).run().ok();
        std::fs::remove_dir_all(place.folder()).unwrap();
        place.attempt("error", 1000, 2).run().ok();
        assert_eq!(place.numbers(), rows(&[], 1000));
    }
}
