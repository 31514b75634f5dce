//! Publishing while something breaks: replies of a store are lost or late, drivers are stopped and killed at any moment.
//!
//! Jobs are real processes, and the store is a real S3 server in which faults are planned. Every test checks that its fault
//! has struck. A plain run makes a few random rounds from a fixed seed, and leaves out the slow tests:
//!
//! ```text
//! cargo test -p kiln-tests --test faults -- --ignored
//! ```

#![allow(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

#[path = "faults/cancelled.rs"]
mod cancelled;
#[path = "support/folder.rs"]
mod folder;
#[path = "support/generated.rs"]
mod generated;
#[path = "faults/interleavings.rs"]
mod interleavings;
#[path = "support/job.rs"]
mod job;
#[path = "faults/log.rs"]
mod log;
#[path = "faults/place.rs"]
mod place;
#[path = "support/processes.rs"]
mod processes;
#[path = "faults/readers.rs"]
mod readers;
#[path = "faults/replies.rs"]
mod replies;
#[path = "support/s3.rs"]
mod s3;
#[path = "support/table.rs"]
mod table;
#[path = "faults/tables.rs"]
mod tables;
