//! The interface of a job to a scheduler: exit code, result JSON, streams, and a quick end on request.
//!
//! Every case runs a real job binary, in one process and with executors. Error messages are tested in
//! `bad_input`, published outputs in `publish`.

#![allow(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

#[path = "support/folder.rs"]
mod folder;
#[path = "support/job.rs"]
mod job;
#[path = "support/processes.rs"]
mod processes;
#[path = "contract/results.rs"]
mod results;
#[path = "contract/stopping.rs"]
mod stopping;
#[path = "contract/streams.rs"]
mod streams;

use std::fs::File;
use std::process::Stdio;
use std::time::{Duration, Instant};

use job::{EVERYWHERE, Ended, Job};
use rustix::process::Signal;
use serde_json::{Value, json};

/// Upper limit of the time from the signal to the exit of the process.
const CANCEL_LIMIT: Duration = Duration::from_secs(2);

#[test]
fn a_published_run_reports_exactly_the_documented_fields() {
    for cluster in EVERYWHERE {
        let place = tempfile::tempdir().unwrap();
        let output = place.path().join("numbers");
        let job = small(cluster).option("--output", &output).option("--odd-rows", "3");
        let ended = job.env("KILN_RUN_ID", "nightly-7").run().ok();

        let files = folder::files(&output);
        let bytes: usize = files.values().map(Vec::len).sum();
        let expected = json!({
            "run_id": "nightly-7", "attempt": null, "status": "published", "class": null, "reason": null,
            "version": 1, "outputs": [{
                "uri": format!("file://{}", output.display()),
                "partitions": 6, "files": files.len(), "rows": 600, "bytes": bytes,
            }],
            "inputs": [], "counters": {"odd rows": 3}, "retries": 0, "seconds": 0, "message": null,
        });
        assert_eq!(timeless(&ended), expected.to_string());
        let last = ended.stderr.lines().last().unwrap_or_default();
        assert!(
            last.starts_with(&format!("OK published file://{} v1  rows 600  files 6 (", output.display())),
            "{last}"
        );
        assert_eq!(ended.stdout, "");
    }
}

#[test]
fn a_run_that_publishes_nothing_succeeds_and_one_with_nothing_to_do_is_skipped() {
    for cluster in EVERYWHERE {
        let ended = small(cluster).run().ok();
        assert_eq!(ended.json()["status"], "succeeded");
        assert_eq!(ended.stdout, "600 rows\n");

        let skipped = small(cluster).arg("--skip").run();
        skipped.exits(99);
        let result = skipped.json();
        assert_eq!((&result["status"], &result["message"]), (&json!("skipped"), &json!("no new rows")));
    }
}

#[test]
fn two_runs_without_a_name_get_different_names() {
    let names = [(); 2].map(|()| small("local[1]").run().ok().json()["run_id"].as_str().unwrap().to_owned());
    assert!(names[0] != names[1] && names.iter().all(|name| name.len() == 36), "{names:?}");
}

#[test]
fn the_result_is_the_last_line_of_standard_output_when_it_is_asked_for() {
    for cluster in EVERYWHERE {
        let ended = small(cluster).env("KILN_RESULT", "stdout").run().ok();
        let lines: Vec<&str> = ended.stdout.lines().collect();
        assert_eq!(lines.len(), 2, "{}", ended.stdout);
        assert_eq!(lines[0], "600 rows");
        assert_eq!(serde_json::from_str::<Value>(lines[1]).unwrap(), ended.json());
    }
    let failed = small("local[1]").arg("--no-such-option").env("AIRFLOW_CTX_DAG_ID", "d").run();
    failed.exits(64);
    assert_eq!(serde_json::from_str::<Value>(failed.stdout.trim_end()).unwrap(), failed.json());
}

#[test]
fn logs_go_to_standard_error_and_never_to_standard_output() {
    for cluster in EVERYWHERE {
        let ended = small(cluster).env("KILN_LOG", "trace").run().ok();
        assert_eq!(ended.stdout, "600 rows\n");
        assert!(ended.stderr.lines().all(|line| !line.contains('\r')), "{}", ended.stderr);
        let quiet = small(cluster).run().ok();
        assert_eq!(quiet.stderr.lines().count(), 1, "one summary line and nothing else:\n{}", quiet.stderr);
        assert!(quiet.stderr.starts_with("OK  "), "{}", quiet.stderr);
    }
}

#[test]
fn help_is_printed_without_a_run() {
    let help = small("local-cluster[2,1]").arg("--help").run().ok();
    assert!(help.stdout.contains("Usage: small"), "{}", help.stdout);
    assert_eq!((help.stderr.as_str(), help.result), ("", None));
}

#[test]
fn a_job_needs_neither_a_home_nor_a_standard_output() {
    for cluster in EVERYWHERE {
        // These jobs have only the variables that a test sets: no HOME, no PATH.
        small(cluster).env("KILN_RESULT", "none").run().ok();
        // A stream without a reader, and one that rejects every write, like a closed stream.
        let (reader, unread) = std::io::pipe().unwrap();
        drop(reader);
        for stdout in [Stdio::from(unread), Stdio::from(File::open("/dev/null").unwrap())] {
            let place = tempfile::tempdir().unwrap();
            let output = place.path().join("numbers");
            let job = small(cluster).option("--output", &output).env("KILN_RESULT", "stdout");
            assert_eq!(job.stdout(stdout).run().ok().json()["status"], "published");
            assert_eq!(folder::files(&output).len(), 6);
        }
    }
}

#[test]
fn a_signal_stops_tasks_between_two_blocks_of_rows() {
    for cluster in EVERYWHERE {
        let ended = signalled(cluster, Signal::TERM, 0);
        ended.is(143, "cancelled by SIGTERM, nothing published");
        let ended = signalled(cluster, Signal::INT, 0);
        ended.is(130, "cancelled by SIGINT, nothing published");
    }
}

#[test]
fn a_signal_ends_a_job_whose_closure_does_not_come_back() {
    for cluster in EVERYWHERE {
        signalled(cluster, Signal::TERM, 5000).is(143, "cancelled by SIGTERM");
        signalled(cluster, Signal::INT, 5000).is(130, "cancelled by SIGINT");
    }
}

#[test]
fn a_second_signal_ends_a_job_at_once() {
    for cluster in EVERYWHERE {
        let work = Work::start(cluster, 5000);
        work.running.signal(Signal::INT);
        work.running.says("cancelling, nothing published");
        let sent = Instant::now();
        work.running.signal(Signal::INT);
        let ended = work.end(sent);
        assert!(ended.took < Duration::from_millis(1000), "{:?} after the second signal", ended.took);
        ended.is(130, "cancelled by SIGINT");
    }
}

#[test]
fn a_signal_ends_a_job_at_any_moment_of_its_start() {
    for millis in (0..15).map(|step| 20 * step) {
        let (place, signs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let job = Job::new(env!("CARGO_BIN_EXE_endless")).on(job::EXECUTORS);
        let job = job.option("--output", place.path().join("deep/numbers")).option("--signs", signs.path());
        let running = job.start();
        // The test varies the moment of the signal; there is no event to wait for.
        std::thread::sleep(Duration::from_millis(millis));
        let sent = Instant::now();
        running.signal(Signal::TERM);
        let ended = running.wait();
        let took = ended.ended_at.duration_since(sent);
        assert!(took < CANCEL_LIMIT, "{took:?} after {millis} ms\n{}", ended.stderr);
        // Before the handlers are installed, the system kills the process; afterwards the job stops by
        // itself.
        let stopped =
            ended.stderr.contains("CANCELLED by SIGTERM, nothing published") && ended.code() == Some(143);
        let is_right = stopped || ended.killed_by() == Some(15);
        assert!(is_right, "{:?} after {millis} ms\n{}", ended.code(), ended.stderr);
        assert_eq!(folder::tree(place.path()), Vec::<std::path::PathBuf>::new(), "after {millis} ms");
    }
}

/// A job that is writing, and its folder.
struct Work {
    place: tempfile::TempDir,
    running: job::Running,
}

/// The outcome of such a job.
struct Stopped {
    ended: Ended,
    /// Time from the signal to the exit.
    took: Duration,
    left: Vec<std::path::PathBuf>,
}

impl Work {
    /// Starts the job and waits until both slots are working.
    fn start(cluster: &str, millis_per_row: u64) -> Work {
        let (place, signs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let job = Job::new(env!("CARGO_BIN_EXE_endless")).on(cluster);
        let job =
            job.option("--output", place.path().join("deep/below/numbers")).option("--signs", signs.path());
        let running = job.option("--millis-per-row", millis_per_row.to_string()).start();
        folder::wait_for(signs.path(), "started-", 2);
        let wanted = if cluster.starts_with("local-cluster") { 2 } else { 0 };
        assert_eq!(running.executors().len(), wanted);
        assert!(folder::tree(place.path()).iter().any(|path| path.ends_with(".kiln-stage")));
        Work { place, running }
    }

    fn end(self, sent: Instant) -> Stopped {
        let ended = self.running.wait();
        // A waiting thread records the time of the exit, before the check for remaining files.
        let took = ended.ended_at.duration_since(sent);
        Stopped { ended, took, left: folder::tree(self.place.path()) }
    }
}

impl Stopped {
    #[track_caller]
    fn is(&self, code: i32, message: &str) {
        self.ended.exits(code);
        assert!(
            self.took < CANCEL_LIMIT,
            "{:?} from the signal to the exit\n{}",
            self.took,
            self.ended.stderr
        );
        assert_eq!(
            self.left,
            Vec::<std::path::PathBuf>::new(),
            "left behind; it said:\n{}",
            self.ended.stderr
        );
        let result = self.ended.json();
        assert_eq!((&result["status"], &result["class"]), (&json!("cancelled"), &json!("cancelled")));
        assert_eq!(result["outputs"], json!([]));
        assert!(result["message"].as_str().unwrap().starts_with(message), "{result}");
        assert_eq!(self.ended.errors(), Vec::<&str>::new());
        let lines: Vec<&str> = self.ended.stderr.lines().collect();
        assert_eq!(lines.len(), 2, "what it does and how it ended:\n{}", self.ended.stderr);
        assert_eq!(lines[0], "cancelling, nothing published");
        assert!(
            lines[1].starts_with(&format!("CANCELLED {}", &message["cancelled ".len()..])),
            "{}",
            lines[1]
        );
    }
}

fn signalled(cluster: &str, signal: Signal, millis_per_row: u64) -> Stopped {
    let work = Work::start(cluster, millis_per_row);
    let sent = Instant::now();
    work.running.signal(signal);
    work.end(sent)
}

fn small(cluster: &str) -> Job {
    Job::new(env!("CARGO_BIN_EXE_small")).on(cluster)
}

/// The text of the result without the elapsed time.
fn timeless(ended: &Ended) -> String {
    let text = ended.result.clone().unwrap_or_default();
    assert!(text.ends_with("}\n") && text.lines().count() == 1, "{text}");
    let mut result = ended.json();
    assert!(result["seconds"].as_f64().is_some_and(|seconds| seconds > 0.0), "{result}");
    result["seconds"] = 0.into();
    result.to_string()
}
