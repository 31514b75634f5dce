//! The outputs of `write()`: files of every format, folders by column, and the effect of each mode on
//! an existing output, on disk and in an object store, also when drivers are killed.
//!
//! Outputs are read with other readers than the engine's own. Jobs that race or are killed are real
//! processes; the store is a real S3 server on a loopback port.

#![allow(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

#[path = "sinks/addresses.rs"]
mod addresses;
#[path = "sinks/attempts.rs"]
mod attempts;
#[path = "sinks/checkpoints.rs"]
mod checkpoints;
#[path = "support/disk.rs"]
mod disk;
#[path = "support/folder.rs"]
mod folder;
#[path = "sinks/formats.rs"]
mod formats;
#[path = "sinks/forms.rs"]
mod forms;
#[path = "support/generated.rs"]
mod generated;
#[path = "support/job.rs"]
mod job;
#[path = "sinks/killed.rs"]
mod killed;
#[path = "sinks/layout.rs"]
mod layout;
#[path = "sinks/modes.rs"]
mod modes;
#[path = "sinks/objects.rs"]
mod objects;
#[path = "support/processes.rs"]
mod processes;
#[path = "support/s3.rs"]
mod s3;
#[path = "support/table.rs"]
mod table;
#[path = "sinks/values.rs"]
mod values;
#[path = "sinks/waiting.rs"]
mod waiting;

use std::path::Path;

use job::Job;

/// The job that publishes a column `n` of numbers, starting at its offset.
fn small(cluster: &str) -> Job {
    Job::new(env!("CARGO_BIN_EXE_small")).on(cluster)
}

/// The names of the files and folders of data below `place`, relative to it and sorted.
fn names(place: &Path) -> Vec<String> {
    folder::data(place).iter().map(|path| path.display().to_string()).collect()
}
