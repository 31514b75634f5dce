//! Reading from object stores: which version is read, with which requests, and which errors occur.
//!
//! Jobs are processes, the store is a server in the test process.

#![allow(clippy::unwrap_used, reason = "a test fails by it, also in its support functions")]

use job::{Ended, Job};
use s3::{BUCKET, S3};

#[path = "stores/errors.rs"]
mod errors;
#[path = "support/folder.rs"]
mod folder;
#[path = "support/job.rs"]
mod job;
#[path = "support/processes.rs"]
mod processes;
#[path = "stores/requests.rs"]
mod requests;
#[path = "support/s3.rs"]
mod s3;
#[path = "stores/versions.rs"]
mod versions;

/// A job that reads an address.
fn reading(cluster: &str, format: &str, input: &str) -> Job {
    let job = Job::new(env!("CARGO_BIN_EXE_reading")).on(cluster);
    job.option("--format", format).option("--input", input)
}

/// The same for a key of the bucket, or several.
fn reading_key(s3: &S3, cluster: &str, format: &str, key: &str) -> Job {
    s3.tell(reading(cluster, format, &format!("s3://{BUCKET}/{key}")))
}

/// The rest of the line on standard output that starts with `word`.
fn printed(ended: &Ended, word: &str) -> String {
    let line = ended.stdout.lines().find_map(|line| line.strip_prefix(word));
    line.unwrap_or_else(|| panic!("no `{word}` in\n{}\n{}", ended.stdout, ended.stderr)).trim().to_owned()
}
