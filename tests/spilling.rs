//! Temporary files: what a full disk does to a job, and that nothing of them is left, however it ends.
//!
//! Every job has a `KILN_TMP` of its own and more rows than `KILN_MEMORY` holds. That it had spilled
//! is proved by the message of the error, or by files that are seen while the job waits at a gate.

#![allow(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

#[path = "support/disk.rs"]
mod disk;
#[path = "support/folder.rs"]
mod folder;
#[path = "spilling/full.rs"]
mod full;
#[path = "support/job.rs"]
mod job;
#[path = "spilling/left.rs"]
mod left;
#[path = "support/processes.rs"]
mod processes;
#[path = "support/table.rs"]
mod table;

use std::path::Path;

use job::Job;

/// The least memory that a process may have: 8 MiB for outputs, as much for its tasks.
const MEMORY: &str = "16MB";

/// A job that spills to `tmp`.
fn spilling(cluster: &str, work: &str, rows: u64, tmp: &Path) -> Job {
    let job = Job::new(env!("CARGO_BIN_EXE_spilling")).on(cluster).env("KILN_MEMORY", MEMORY);
    job.env("KILN_TMP", tmp).option("--work", work).option("--rows", rows.to_string())
}
