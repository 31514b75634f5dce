//! What gates the commit of a load: counts of rows, checks, drift of columns, rejected rows.
//!
//! The rows come from a source of the tests' own. What is found is compared with what a loop over the same rows finds;
//! whoever must leave an old version alone is a real process, with executors and with an S3 server.

#![allow(clippy::unwrap_used, reason = "a test fails by it, also in its support functions")]

#[path = "checks/drift.rs"]
mod drift;
#[path = "support/folder.rs"]
mod folder;
#[path = "checks/gates.rs"]
mod gates;
#[path = "checks/generated.rs"]
mod generated;
#[path = "support/job.rs"]
mod job;
#[path = "support/orders.rs"]
mod orders;
#[path = "support/processes.rs"]
mod processes;
#[path = "checks/rejects.rs"]
mod rejects;
#[path = "support/s3.rs"]
mod s3;

use kiln::Context;

use orders::Order;

/// Runs `test` with an output on disk, which is plain files, and one in the memory of this process, which is a table.
fn everywhere(test: impl Fn(&Context, &str)) {
    let place = tempfile::tempdir().unwrap();
    let memory = format!("memory:///{}/rows", place.path().file_name().unwrap().display());
    for output in [place.path().join("rows").display().to_string(), memory] {
        test(&Context::local(2), &output);
    }
}

/// The orders of an output, by their ids.
fn read(cx: &Context, output: &str) -> Vec<Order> {
    let mut orders = cx.read_parquet::<Order>(output).collect().unwrap();
    orders.sort_by_key(|order| (order.id, order.day));
    orders
}
