//! Temporary files after the end of a job: none, or none after the next start.

use std::path::{Path, PathBuf};

use rustix::process::Signal;
use tempfile::TempDir;

use super::job::{EVERYWHERE, EXECUTORS, Ended, Job, Running, send};
use super::{folder, spilling, table};

/// Rows of several times the memory.
const ROWS: u64 = 200_000;

#[test]
fn a_job_that_succeeds_removes_its_temporary_files() {
    for cluster in EVERYWHERE {
        let work = Work::start(cluster, |job| job);
        work.open_gate();
        let place = work.ends(|ended| drop(ended.ok()));
        assert_eq!(table::numbers(&place.path().join("n")).len() as u64, ROWS);
    }
}

#[test]
fn a_job_that_fails_removes_its_temporary_files() {
    for cluster in EVERYWHERE {
        let work = Work::start(cluster, |job| job.arg("--fails"));
        work.open_gate();
        work.ends(|ended| ended.fails(65, "data", &["this row is at fault"]));
    }
}

#[test]
fn a_job_that_is_cancelled_removes_its_temporary_files() {
    for cluster in EVERYWHERE {
        let work = Work::start(cluster, |job| job);
        work.running.signal(Signal::TERM);
        work.running.says("cancelling");
        work.open_gate();
        work.ends(|ended| ended.exits(143));
    }
}

#[test]
fn a_job_whose_tasks_do_not_stop_when_it_is_cancelled_removes_them_too() {
    for cluster in EVERYWHERE {
        let work = Work::start(cluster, |job| job);
        work.running.signal(Signal::TERM);
        // The gate stays closed: the process exits in spite of its tasks.
        work.ends(|ended| ended.exits(143));
    }
}

#[test]
fn an_executor_that_is_killed_leaves_no_temporary_files() {
    let work = Work::start(EXECUTORS, |job| job);
    send(work.running.executors()[0], Signal::KILL);
    work.running.says("is lost");
    work.open_gate();
    work.ends(|ended| drop(ended.ok()));
}

#[test]
fn the_temporary_files_of_a_killed_driver_go_at_the_next_start() {
    for (cluster, next) in [EVERYWHERE[0], EVERYWHERE[1]].into_iter().zip([EVERYWHERE[1], EVERYWHERE[0]]) {
        let Work { running, place, tmp } = Work::start(cluster, |job| job);
        running.signal(Signal::KILL);
        assert_eq!(running.wait().killed_by(), Some(9));
        assert!(!spilled(tmp.path()).is_empty(), "{cluster}: nobody could remove them");
        let job = Job::new(env!("CARGO_BIN_EXE_small")).on(next).env("KILN_TMP", tmp.path());
        job.run().ok();
        assert_eq!(folder::tree(tmp.path()), Vec::<PathBuf>::new(), "{cluster}");
        assert!(!place.path().join("n").exists());
    }
}

/// A job that has spilled and waits at the gate.
struct Work {
    running: Running,
    place: TempDir,
    tmp: TempDir,
}

impl Work {
    /// Starts a sort with one more option, and returns when every process that runs tasks has temporary
    /// files and waits.
    fn start(cluster: &str, option: impl Fn(Job) -> Job) -> Work {
        let (place, tmp) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let gate = place.path().join("gate");
        std::fs::create_dir(&gate).unwrap();
        let job =
            spilling(cluster, "sort-within-two", ROWS, tmp.path()).option("--output", place.path().join("n"));
        let running = option(job.option("--gate", &gate)).start();
        let processes = if cluster == EXECUTORS { 2 } else { 1 };
        folder::wait_for(&gate, "waits-", processes);
        let folders = spilled(tmp.path());
        assert_eq!(folders.len(), processes, "{cluster}: {folders:?}");
        Work { running, place, tmp }
    }

    fn open_gate(&self) {
        std::fs::write(self.place.path().join("gate/open"), "").unwrap();
    }

    /// Waits for the end, after which there must be no temporary files.
    fn ends(self, how: impl Fn(Ended)) -> TempDir {
        how(self.running.wait());
        assert_eq!(folder::tree(self.tmp.path()), Vec::<PathBuf>::new());
        self.place
    }
}

/// The folders of processes in `tmp` that contain files with rows.
fn spilled(tmp: &Path) -> Vec<PathBuf> {
    let has_rows = |path: &PathBuf| {
        let path = tmp.join(path);
        path.is_file() && path.metadata().unwrap().len() > 0
    };
    let first = |path: PathBuf| path.components().next().map(|folder| PathBuf::from(folder.as_os_str()));
    let mut folders: Vec<_> = folder::tree(tmp).into_iter().filter(has_rows).filter_map(first).collect();
    folders.dedup();
    folders
}
