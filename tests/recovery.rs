//! Executors and drivers that die in the middle of a job: the result is correct, or the job fails
//! clearly.
//!
//! The jobs stop at a gate, so that a test strikes at a defined point and not after a time. The result
//! proves that a fault has struck, because it counts the tasks that were started again.

#![allow(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

#[path = "support/folder.rs"]
mod folder;
#[path = "support/job.rs"]
mod job;
#[path = "support/processes.rs"]
mod processes;
#[path = "support/table.rs"]
mod table;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use job::{EXECUTORS, Ended, Job, Running, send};
use rustix::process::Signal;
use tempfile::TempDir;

/// Number of inputs of the reading job, and so of its first tasks.
const INPUTS: usize = 8;
/// The inputs at which a task waits. Some earlier tasks have finished by then.
const GATED: [usize; 2] = [4, 5];
/// Number of words that the job's `count_numbers` makes of numbers.
const NUMBERS: u64 = (1u64 << 24).div_ceil(1000);
/// Time limit from the death of the driver to the exit of its executors.
const ORPHAN_LIMIT: Duration = Duration::from_secs(10);

#[test]
fn a_killed_executor_costs_time_and_nothing_else() {
    let work = Work::read();
    let executors = work.waits(2);
    send(executors[0], Signal::KILL);
    work.running.says("is lost");
    work.open_gate();
    let ended = work.ends_well(&words_read());
    assert_names_the_lost(&ended, executors[0], "signal 9");
    let lines = texts().iter().map(|text| text.lines().count()).sum::<usize>();
    assert_eq!(ended.json()["counters"]["lines read"], lines, "lines that were read again count once");
    // It was running one task and had finished others, whose outputs are lost, too.
    assert!(ended.json()["retries"].as_u64().unwrap() >= 2, "{}", ended.json());
}

#[test]
fn an_executor_that_is_killed_before_its_output_is_fetched_is_made_up_for() {
    let work = Work::start("merge");
    // Both executors are in the second stage; each holds outputs of the first stage that are still
    // needed.
    let executors = work.waits(2);
    send(executors[1], Signal::KILL);
    work.running.says("is lost");
    work.open_gate();
    let ended = work.ends_well(&words_counted());
    assert_names_the_lost(&ended, executors[1], "signal 9");
    let counters = serde_json::json!({"numbers": NUMBERS, "words merged": 5000});
    assert_eq!(ended.json()["counters"], counters, "in the first stage and in the last");
    assert!(ended.json()["retries"].as_u64().unwrap() >= 2, "{}", ended.json());
}

#[test]
fn an_executor_that_is_killed_between_two_actions_is_made_up_for() {
    let work = Work::start("twice");
    assert_eq!(work.waits(1), [work.running.pid()]);
    let executors = work.running.executors();
    send(executors[0], Signal::KILL);
    work.running.says("is lost");
    work.open_gate();
    let ended = work.ends_well(&words_counted());
    assert_names_the_lost(&ended, executors[0], "signal 9");
    assert_eq!(ended.stdout, "5000 words\n");
    assert_eq!(ended.json()["counters"]["numbers"], NUMBERS, "what made up for the loss is no news");
    // Nothing was running, so the message proves that its share of the kept rows was lost.
    let lost = ended.stderr.contains("0 tasks start again") && !ended.stderr.contains(" 0 outputs are gone");
    assert!(lost, "{}", ended.stderr);
}

#[test]
fn a_job_whose_executor_is_killed_at_any_moment_is_right_or_says_try_again() {
    let expected = words_counted();
    for millis in (0..10).map(|step| 150 * step) {
        let work = Work::start("merge");
        work.open_gate();
        // The test varies the moment of the kill; there is no event to wait for.
        std::thread::sleep(Duration::from_millis(millis));
        work.running.executors().into_iter().take(1).for_each(|pid| send(pid, Signal::KILL));
        let (ended, place) = work.end();
        match ended.code() {
            Some(0) => assert_eq!(
                table::word_counts(&place.path().join("out")),
                expected,
                "killed after {millis} ms"
            ),
            _ => {
                // It had not registered yet.
                ended.fails(75, "transient", &["signal 9"]);
                assert_eq!(left(&place), Vec::<PathBuf>::new(), "killed after {millis} ms");
            }
        }
    }
}

#[test]
fn a_silent_executor_is_given_up_and_its_work_done_elsewhere() {
    let work = Work::read();
    let executors = work.waits(2);
    send(executors[0], Signal::STOP);
    work.open_gate();
    let ended = work.ends_well(&words_read());
    assert!(ended.stderr.contains("silent for more than"), "{}", ended.stderr);
    assert!(ended.json()["retries"].as_u64().unwrap() >= 1, "{}", ended.json());
}

#[test]
fn the_loss_of_all_executors_ends_the_job_with_a_code_that_says_try_again() {
    let work = Work::read();
    let struck = Instant::now();
    work.waits(2).into_iter().for_each(|pid| send(pid, Signal::KILL));
    let (ended, place) = work.end();
    assert!(ended.ended_at.duration_since(struck) < Duration::from_secs(5));
    ended.fails(75, "transient", &["no executor is left", "signal 9"]);
    assert_eq!(left(&place), Vec::<PathBuf>::new());
}

#[test]
fn executors_do_not_outlive_a_killed_driver_and_nothing_is_published() {
    // At the gate all slots are blocked by closures that do not return by themselves.
    let work = Work::read();
    let executors = work.waits(2);
    work.running.signal(Signal::KILL);
    let Work { running, place } = work;
    let ended = running.wait_with(ORPHAN_LIMIT);
    assert_eq!(ended.killed_by(), Some(9));
    assert!(executors.into_iter().all(|pid| !processes::runs(pid)));
    assert!(!place.path().join("out").exists());
}

#[test]
fn idle_executors_do_not_outlive_a_killed_driver() {
    let work = Work::start("twice");
    work.waits(1);
    work.running.signal(Signal::KILL);
    let Work { running, place } = work;
    assert_eq!(running.wait_with(ORPHAN_LIMIT).killed_by(), Some(9));
    assert!(!place.path().join("out").exists());
}

/// A word count that is running on two executors, and its folder.
struct Work {
    running: Running,
    place: TempDir,
}

impl Work {
    /// Counts the words of text files.
    fn read() -> Work {
        let place = Work::place();
        let mut job = Work::job(&place, "read");
        for (at, text) in texts().into_iter().enumerate() {
            let input = place.path().join(format!("input-{at}.txt"));
            fs::write(&input, text).unwrap();
            job = job.option("--input", input);
        }
        Work { running: job.start(), place }
    }

    /// Counts words made of numbers, in the mode `kind`.
    fn start(kind: &str) -> Work {
        let place = Work::place();
        Work { running: Work::job(&place, kind).start(), place }
    }

    fn place() -> TempDir {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir(place.path().join("gate")).unwrap();
        place
    }

    fn job(place: &TempDir, kind: &str) -> Job {
        let job = Job::new(env!("CARGO_BIN_EXE_gated_words")).on(EXECUTORS).arg(kind);
        job.option("--output", place.path().join("out")).option("--gate", place.path().join("gate"))
    }

    fn gate(&self) -> PathBuf {
        self.place.path().join("gate")
    }

    /// Waits until `count` processes are at the gate, and returns their ids.
    fn waits(&self, count: usize) -> Vec<u32> {
        folder::wait_for(&self.gate(), "waits-", count);
        let names = fs::read_dir(self.gate()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
        let mut pids: Vec<u32> = names.filter_map(|name| name.strip_prefix("waits-")?.parse().ok()).collect();
        pids.sort_unstable();
        assert_eq!(pids.len(), count);
        pids
    }

    fn open_gate(&self) {
        fs::write(self.gate().join("open"), "").unwrap();
    }

    /// Waits for the end; returns the outcome and the folder.
    fn end(self) -> (Ended, TempDir) {
        (self.running.wait(), self.place)
    }

    #[track_caller]
    fn ends_well(self, expected: &BTreeMap<String, u64>) -> Ended {
        let output: PathBuf = self.place.path().join("out");
        let ended = self.running.wait().ok();
        assert_eq!(&table::word_counts(&output), expected);
        assert_eq!(ended.json()["outputs"][0]["rows"], expected.len());
        assert!(!self.place.path().join(".kiln-stage").exists());
        assert_only_parts(&output);
        ended
    }
}

/// What a job has left apart from its input and the gate.
fn left(place: &TempDir) -> Vec<PathBuf> {
    let is_its = |path: &PathBuf| !path.starts_with("gate") && !path.to_string_lossy().starts_with("input-");
    folder::tree(place.path()).into_iter().filter(is_its).collect()
}

/// Fails if a file of a superseded attempt is published.
fn assert_only_parts(output: &Path) {
    for name in folder::files(output).keys() {
        assert!(name.len() == "part-00000.parquet".len() && name.ends_with(".parquet"), "{name}");
    }
}

#[track_caller]
fn assert_names_the_lost(ended: &Ended, pid: u32, how: &str) {
    let named =
        |line: &&str| line.contains("is lost") && line.contains(&format!("pid {pid}")) && line.contains(how);
    assert_eq!(ended.stderr.lines().filter(named).count(), 1, "one line names it:\n{}", ended.stderr);
}

/// The input texts, about a megabyte each.
fn texts() -> Vec<String> {
    let word = |n: usize| format!("word{} ", n * n % 7919);
    let line =
        |text: usize, at: usize| (0..100).map(|n| word(text * 100_003 + at * 101 + n)).collect::<String>();
    let text = |at: usize| {
        let gate = if GATED.contains(&at) { "GATE\n" } else { "" };
        (0..1200).map(|n| line(at, n) + "\n").collect::<String>() + gate
    };
    (0..INPUTS).map(text).collect()
}

fn words_read() -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for text in texts() {
        text.split_whitespace().for_each(|word| *counts.entry(word.to_owned()).or_insert(0) += 1);
    }
    counts
}

/// The expected result of the job's `count_numbers`.
fn words_counted() -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    (0..NUMBERS).for_each(|n| *counts.entry(format!("word{}", n % 5000)).or_insert(0) += 1);
    counts
}
