//! What gates the commit of a write: checks are decided, rejected rows are kept, and nothing is published where it must not be.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;

use crate::checks::{Gate, Known, Observed, Reject};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::failpoint;
use crate::job::CheckStatus;
use crate::publish::{Mode, folder_of, is_there, run_name};

/// The counter of rejected rows in the result of a run.
const REJECTED: &str = "rejected rows";
/// The column by which rejected rows are kept apart.
const RUN_ID: &str = "run_id";

/// What must hold for rows to be published, and the columns that they have then.
pub(super) struct Terms {
    pub(super) gate: Gate,
    /// As the rows have them, by the names of the target.
    pub(super) given: SchemaRef,
    /// As they are written.
    pub(super) written: SchemaRef,
    /// Where rejected rows are kept.
    pub(super) rejects: String,
}

impl Terms {
    /// Rows of these columns, whatever they are.
    pub(super) fn none(columns: SchemaRef) -> Terms {
        Terms { gate: Gate::none(), given: Arc::clone(&columns), written: columns, rejects: String::new() }
    }

    /// The rows of the source, where that is asked for.
    ///
    /// # Errors
    /// Config for a source that does not tell; else those of the source.
    pub(super) fn source_rows(&self, count: impl FnOnce() -> Result<Option<u64>>) -> Result<Option<u64>> {
        if !self.gate.asks_source() {
            return Ok(None);
        }
        // Before any row is read: a source that is asked for nothing is the cheapest one.
        count()?.ok_or_else(no_source_count).map(Some)
    }
}

fn no_source_count() -> Error {
    Error::config(
        "the rows of the source cannot be counted: it does not tell, or these are other rows than its own",
    )
    .reason("no_source_count")
    .help("leave out the check of the rows of the source, or state how many rows there are at least")
}

/// A rejected row, with the run that has rejected it.
#[derive(kiln_derive::Row, Clone)]
struct Kept {
    run_id: String,
    place: String,
    record: String,
    error: String,
}

/// Keeps the rejected rows of this run in a folder of its own, which replaces that of an earlier attempt: however often a
/// load is tried, and wherever one was killed, each of them is there once.
fn keep(cx: &Context, rejects: Vec<Reject>, to: &str) -> Result<()> {
    if rejects.is_empty() && !is_there(to)? {
        return Ok(());
    }
    let (count, run_id) = (rejects.len(), run_name(cx.job_run().run_id()));
    let folder = folder_of(RUN_ID, &run_id)?;
    let kept = rejects.into_iter().map(|Reject { place, record, error }| Kept {
        run_id: run_id.clone(),
        place,
        record,
        error,
    });
    let rows = cx.parallelize_in(1, kept.collect::<Vec<_>>());
    let write = rows.write().unlisted().mode(Mode::ReplacePartitions).partition_by([RUN_ID]);
    write.expect_partitions([folder.as_str()]).json(to)?;
    if count > 0 {
        log::warn!("{count} rows were rejected: {to}/{folder}");
    }
    Ok(())
}

/// Decides all checks of the write to `output`, and reports what came of them.
///
/// # Errors
/// Data, with all checks that fail.
pub(super) fn decide(cx: &Context, terms: &Terms, output: &str, seen: Observed, known: &Known) -> Result<()> {
    let results = terms.gate.verdict(output, &seen, known)?;
    for result in results.iter().filter(|result| result.status == CheckStatus::Warned) {
        log::warn!("a check does not hold: {result}");
    }
    let error = Gate::error(&results);
    cx.job_run().checked(results);
    if let Some(error) = error.filter(|_| !failpoint::is_sabotaged("checks")) {
        return Err(error.at("output", output));
    }
    let Some(limits) = terms.gate.rejects() else { return Ok(()) };
    let rejected = seen.rejects.len() as u64;
    let allowed = limits.allow(rejected, seen.read);
    allowed.map_err(|e| e.at("output", output).help(first_of(&seen.rejects)))?;
    cx.job_run().count(REJECTED, rejected);
    // Before the output, so that no row is missing from both.
    keep(cx, seen.rejects, &terms.rejects).map_err(|e| e.at("rejects", &terms.rejects))?;
    failpoint::reached("rejected");
    Ok(())
}

/// `the first one: split 7, row 12: …`
fn first_of(rejects: &[Reject]) -> String {
    let first = |reject: &Reject| format!("the first one: {}: {}", reject.place, reject.error);
    rejects.first().map(first).unwrap_or_default()
}
