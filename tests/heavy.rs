//! Heavy rows: the memory limit of jobs whose rows take megabytes, and the integrity of these rows.
//!
//! Jobs run as processes with less memory than their rows take in total. The peak of each process stays
//! below the sum of `KILN_MEMORY`, the memory of a process without rows, and a few times the largest
//! row.

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
/// Memory of a process without rows: code, threads, and state of decoders and compressors.
const BESIDE: u64 = 200 << 20;
/// How many times the largest row may be held in addition to `KILN_MEMORY`.
const TIMES: u64 = 4;
/// Size of a heavy row.
const ROW: u64 = 5_000_000;
/// Interval at which the memory of the processes is checked. The system records their peak.
const LOOK: Duration = Duration::from_millis(5);

/// A job with heavy rows.
fn heavy(cluster: &str, work: &str, shape: &str) -> Job {
    let job = Job::new(env!("CARGO_BIN_EXE_heavy")).on(cluster).env("KILN_MEMORY", MEMORY.to_string());
    job.option("--work", work).option("--shape", shape)
}

/// Runs a job to its end, and fails if one of its processes held more memory than allowed for rows of
/// `row` bytes.
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
