//! Losing a stream changes neither the published output nor the exit code.

use std::fs::{File, OpenOptions};
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::CANCEL_LIMIT;
use crate::folder;
use crate::job::{EVERYWHERE, Job};

fn chatty() -> Job {
    Job::new(env!("CARGO_BIN_EXE_chatty")).on("local[1]")
}

/// A pipe without a reader.
fn unread() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    Stdio::from(writer)
}

fn full() -> Stdio {
    Stdio::from(OpenOptions::new().write(true).open("/dev/full").unwrap())
}

#[test]
fn a_lost_stream_changes_neither_the_output_nor_the_exit_code() {
    let streams: [fn() -> Stdio; 3] = [unread, full, || Stdio::from(File::open("/dev/null").unwrap())];
    for cluster in EVERYWHERE {
        for (lost, is_stderr) in streams.iter().flat_map(|lost| [(lost, false), (lost, true)]) {
            let place = tempfile::tempdir().unwrap();
            let (output, after) = (place.path().join("numbers"), place.path().join("after"));
            let job = chatty().on(cluster).option("--output", &output).option("--lines", "3000");
            let job = job.option("--after", &after);
            let ended = if is_stderr { job.stderr(lost()) } else { job.stdout(lost()) }.run();
            ended.exits(0);
            assert_eq!(ended.json()["status"], "published");
            assert!(after.exists() && !folder::files(&output).is_empty(), "the code after the lines has run");
            let kept = if is_stderr { &ended.stdout } else { &ended.stderr };
            assert!(kept.contains(if is_stderr { "line 2999\n" } else { "note 2999\n" }), "{kept}");
        }
    }
}

#[test]
fn every_line_arrives_in_order_and_the_result_last() {
    let expected = |word: &str| (0..30_000).map(|n| format!("{word} {n}\n")).collect::<String>();
    let ended = chatty().option("--lines", "30000").env("KILN_RESULT", "stdout").run().ok();
    let rest = ended.stdout.strip_prefix(&expected("line")).expect("all lines, in their order");
    assert_eq!(serde_json::from_str::<Value>(rest).unwrap(), ended.json());
    let rest = ended.stderr.strip_prefix(&expected("note")).expect("all lines, in their order");
    assert!(rest.starts_with("OK  ") && rest.lines().count() == 1, "{rest}");
}

#[test]
fn streams_with_one_target_keep_their_common_order() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("log");
    let log = File::create(&path).unwrap();
    let job = chatty().option("--lines", "5000").env("KILN_RESULT", "stdout");
    job.stdout(Stdio::from(log.try_clone().unwrap())).stderr(Stdio::from(log)).run().exits(0);
    let text = std::fs::read_to_string(path).unwrap();
    let expected: String = (0..5000).map(|n| format!("line {n}\nnote {n}\n")).collect();
    let rest: Vec<&str> = text.strip_prefix(&expected).expect("in their order").lines().collect();
    assert!(rest.len() == 2 && rest[0].starts_with("OK  ") && rest[1].starts_with('{'), "{rest:?}");
}

#[test]
fn what_was_printed_arrives_however_the_process_ends() {
    for _ in 0..20 {
        let ended = chatty().option("--lines", "100").option("--exit", "3").run();
        ended.exits(3);
        assert!(ended.stdout.ends_with("line 99\nno line end"), "{}", ended.stdout);
        let aborted = chatty().option("--lines", "100").arg("--abort").run();
        assert_eq!(aborted.killed_by(), Some(6), "{}", aborted.stderr);
        assert!(aborted.stderr.ends_with("note 99\nlast words\n"), "{}", aborted.stderr);
    }
}

#[test]
fn a_reader_that_takes_nothing_keeps_neither_the_files_nor_the_exit_code() {
    for (lines, code, status) in [("12000", 0, "succeeded"), ("100000", 143, "cancelled")] {
        let (reader, writer) = std::io::pipe().unwrap();
        // The first number of lines fits in the two pipes and the block that is being copied; the
        // second does not.
        let running = chatty().option("--lines", lines).stdout(Stdio::from(writer)).start();
        std::thread::sleep(Duration::from_millis(700));
        running.signal(Signal::TERM);
        let sent = Instant::now();
        let ended = running.wait();
        assert!(ended.ended_at.duration_since(sent) < CANCEL_LIMIT, "{}", ended.stderr);
        ended.exits(code);
        assert_eq!(ended.json()["status"], status);
        drop(reader);
    }
}

#[test]
fn a_reader_that_takes_its_time_gets_everything() {
    let (reader, writer) = std::io::pipe().unwrap();
    let running = chatty().option("--lines", "30000").stdout(Stdio::from(writer)).start();
    std::thread::sleep(Duration::from_millis(700));
    let text = std::io::read_to_string(reader).unwrap();
    running.wait().exits(0);
    assert_eq!(text.lines().last(), Some("line 29999"));
}
