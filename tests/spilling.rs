//! Temporary files: a full disk, and that no temporary file is left, however a job ends.
//!
//! Every job has its own `KILN_TMP` and more rows than fit in `KILN_MEMORY`. The error message proves
//! that it has spilled, or files that exist while the job waits at a gate.

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

/// The minimum memory of a process: 8 MiB for outputs, and as much for its tasks.
const MEMORY: &str = "16MB";

/// A job that spills to `tmp`.
fn spilling(cluster: &str, work: &str, rows: u64, tmp: &Path) -> Job {
    let job = Job::new(env!("CARGO_BIN_EXE_spilling")).on(cluster).env("KILN_MEMORY", MEMORY);
    job.env("KILN_TMP", tmp).option("--work", work).option("--rows", rows.to_string())
}
