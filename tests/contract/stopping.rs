//! Reasons to stop other than SIGINT and SIGTERM, also during commits.

use std::os::unix::process::CommandExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use crate::folder;
use crate::job::{EVERYWHERE, EXECUTORS, Job};
use crate::processes;
use crate::{CANCEL_LIMIT, Work, signalled};

#[test]
fn a_hangup_is_a_cancel_and_leaves_nothing() {
    for cluster in EVERYWHERE {
        let stopped = signalled(cluster, Signal::HUP, 0);
        stopped.is(129, "cancelled by SIGHUP, nothing published");
        assert_eq!(stopped.ended.json()["reason"], "sighup");
    }
}

#[test]
fn a_time_limit_ends_a_job_with_124() {
    for (cluster, by_option) in EVERYWHERE.into_iter().flat_map(|cluster| [(cluster, true), (cluster, false)])
    {
        let (place, signs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let job = Job::new(env!("CARGO_BIN_EXE_endless")).on(cluster).option("--signs", signs.path());
        let job = job.option("--output", place.path().join("numbers"));
        let job =
            if by_option { job.option("--timeout", "1200ms") } else { job.env("KILN_TIMEOUT", "1200ms") };
        let started = Instant::now();
        let ended = job.run();
        let took = ended.ended_at.duration_since(started);
        assert!(
            took > Duration::from_millis(1200) && took < Duration::from_millis(1200) + CANCEL_LIMIT,
            "{took:?}"
        );
        ended.fails(124, "deadline", &["the time limit has passed, nothing published"]);
        assert_eq!(ended.json()["reason"], "timeout");
        assert_eq!(folder::tree(place.path()), Vec::<std::path::PathBuf>::new());
    }
}

/// A job whose caller is killed, and its result; `None` if the job continues.
///
/// The caller is a shell. It runs the job itself, or through another shell in a new session, which
/// outlives it, as Airflow runs the commands of a task.
fn orphan(
    cluster: &str,
    has_own_shell: bool,
    env: &[(&str, &str)],
    before: &str,
) -> Option<serde_json::Value> {
    let (place, signs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mark = place.path().to_string_lossy().into_owned();
    let result = signs.path().join("result.json");
    let binary = env!("CARGO_BIN_EXE_endless");
    let (output, signs_path) = (place.path().join("numbers"), signs.path());
    let job =
        format!("{before} {binary} --output {} --signs {}; true", output.display(), signs_path.display());
    let script = if has_own_shell { format!("setsid -w sh -c '{job}'; true") } else { job };
    let mut caller = processes::command("sh");
    caller.arg("-c").arg(script).env(processes::MARK, &mark).env("KILN_CLUSTER", cluster);
    caller.env("KILN_RESULT_FILE", &result).envs(env.iter().copied()).process_group(0);
    caller.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut caller = caller.spawn().unwrap();
    folder::wait_for(signs.path(), "started-", 2);
    caller.kill().unwrap();
    caller.wait().unwrap();
    let left = processes::left_after(&mark, Duration::from_millis(500) + CANCEL_LIMIT);
    left.iter().for_each(|pid| crate::job::send(*pid, Signal::KILL));
    let text = std::fs::read_to_string(&result).ok()?;
    assert_eq!((left, folder::tree(place.path())), (Vec::new(), Vec::new()));
    Some(serde_json::from_str(&text).unwrap())
}

#[test]
fn a_job_whose_caller_has_died_ends_as_if_cancelled() {
    for (cluster, has_own_shell) in [("local[2]", false), ("local[2]", true), (EXECUTORS, true)] {
        let result = orphan(cluster, has_own_shell, &[], "").expect("the job ends");
        let expected = (json!("cancelled"), json!("parent_ended"));
        assert_eq!((&result["status"], &result["reason"]), (&expected.0, &expected.1));
        let message = "cancelled as the parent process has ended, nothing published";
        assert_eq!(result["message"], message);
    }
}

#[test]
fn a_job_may_outlive_its_caller_when_that_is_wanted() {
    assert_eq!(orphan("local[2]", false, &[("KILN_ORPHAN", "keep")], ""), None);
    // `nohup` ignores SIGHUP for the job.
    assert_eq!(orphan("local[2]", false, &[], "nohup"), None);
}

fn committing(millis: &str) -> (tempfile::TempDir, Job) {
    let signs = tempfile::tempdir().unwrap();
    let job = Job::new(env!("CARGO_BIN_EXE_chatty")).on("local[1]").option("--commit-millis", millis);
    let job = job.option("--signs", signs.path());
    (signs, job)
}

#[test]
fn a_cancel_lets_a_commit_finish_and_the_run_is_published() {
    for (signals, fails) in [(1, false), (3, false), (1, true)] {
        let (signs, job) = committing("2500");
        let running = if fails { job.arg("--fail") } else { job }.start();
        folder::wait_for(signs.path(), "committing", 1);
        for _ in 0..signals {
            running.signal(Signal::TERM);
            running.says("cancelling, a commit is under way and has 20s to finish");
            std::thread::sleep(Duration::from_millis(50));
        }
        let ended = running.wait();
        ended.exits(if fails { 143 } else { 0 });
        let result = ended.json();
        assert_eq!(result["outputs"][0]["uri"], "memory:///c");
        if fails {
            assert_eq!(result["message"], "cancelled by SIGTERM, 1 output was published");
        } else {
            assert_eq!((&result["status"], &result["reason"]), (&json!("published"), &json!(null)));
        }
    }
}

#[test]
fn a_commit_that_takes_too_long_is_reported_as_unknown() {
    let (signs, job) = committing("30000");
    let running = job.env("KILN_COMMIT_GRACE", "2s").start();
    folder::wait_for(signs.path(), "committing", 1);
    let sent = Instant::now();
    running.signal(Signal::TERM);
    let ended = running.wait();
    let took = ended.ended_at.duration_since(sent);
    assert!(took > Duration::from_secs(2) && took < Duration::from_secs(2) + CANCEL_LIMIT, "{took:?}");
    ended.exits(143);
    let message = ended.json()["message"].as_str().unwrap().to_owned();
    assert!(message.contains("whether the commit under way has published is not known"), "{message}");
    assert!(!ended.stderr.contains("nothing published"), "{}", ended.stderr);
}

#[test]
fn no_commit_begins_after_a_cancel() {
    let work = Work::start("local[2]", 0);
    let sent = Instant::now();
    work.running.signal(Signal::TERM);
    work.end(sent).is(143, "cancelled by SIGTERM, nothing published");
}
