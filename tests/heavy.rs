//! Heavy rows: what a job may hold while rows of megabytes go through it, and that they arrive as they were.
//!
//! Jobs run as processes with little memory over more bytes of rows than that. The peak of each process stays
//! below `KILN_MEMORY`, what a process takes without rows, and a few times the largest row.

#![allow(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

#[path = "heavy/formats.rs"]
mod formats;
#[path = "support/job.rs"]
mod job;
#[path = "heavy/operators.rs"]
mod operators;
#[path = "support/processes.rs"]
mod processes;
#[path = "support/table.rs"]
mod table;
#[path = "heavy/wide.rs"]
mod wide;

use std::path::Path;
use std::time::Duration;

use job::{Ended, Job};

/// `KILN_MEMORY` of every job here.
const MEMORY: u64 = 64 << 20;
/// What a process takes beside its rows: its code, its threads, what decoders and compressors hold.
const BESIDE: u64 = 200 << 20;
/// How many times the largest row may be held beyond the memory.
const TIMES: u64 = 4;
/// Bytes of a heavy row.
const ROW: u64 = 5_000_000;
/// How often the memory of the processes is looked at; what the system counts is their peak so far.
const LOOK: Duration = Duration::from_millis(5);

/// A job over heavy rows.
fn heavy(cluster: &str, work: &str, shape: &str) -> Job {
    let job = Job::new(env!("CARGO_BIN_EXE_heavy")).on(cluster).env("KILN_MEMORY", MEMORY.to_string());
    job.option("--work", work).option("--shape", shape)
}

/// Runs a job to its end, and fails if one of its processes held more than it may with rows of `row` bytes.
#[track_caller]
fn run_bounded(job: Job, row: u64, what: &str) -> Ended {
    let running = job.start();
    let (mut peak, driver) = (0, running.pid());
    while processes::runs(driver) {
        let pids = running.executors().into_iter().chain([driver]);
        peak = pids.filter_map(processes::peak_bytes).fold(peak, u64::max);
        std::thread::sleep(LOOK);
    }
    let ended = running.wait();
    let limit = MEMORY + BESIDE + TIMES * row;
    eprintln!("{what}: {} MB of {} MB", peak >> 20, limit >> 20);
    assert!(peak > 0 && peak <= limit, "{what}: a process held {peak} bytes, at most {limit} are allowed");
    ended
}

/// Fails unless the numbers below `rows` are published at `output`, once each.
#[track_caller]
fn has_all(output: &Path, rows: u64, what: &str) {
    let mut numbers = table::numbers(output);
    numbers.sort_unstable();
    assert_eq!(numbers, (0..rows).collect::<Vec<_>>(), "{what}");
}
