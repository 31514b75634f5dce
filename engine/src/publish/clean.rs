//! What `clean` is asked and what it reports; the work depends on where the output is (`local/clean`, `objects/clean`).

use std::time::Duration;

use super::head::Claim;
use super::ledger::{self, RecordFolder};
use super::{check_name, local, objects};
use crate::error::Result;
use crate::source::Location;

/// What [`clean`](crate::admin::clean) may do.
#[derive(Clone, Debug)]
pub struct CleanOptions {
    /// Whether anything is removed; otherwise it is only listed.
    pub delete: bool,
    /// Objects in a store that are younger are kept: longer than any job runs. On disk a lock shows which jobs live, but
    /// for commits to a Delta table that were not linked into its log, which have the grace, too.
    pub grace: Duration,
    /// Allows a grace of less than an hour.
    pub force: bool,
}

impl Default for CleanOptions {
    fn default() -> CleanOptions {
        CleanOptions { delete: false, grace: Duration::from_secs(24 * 3600), force: false }
    }
}

/// What was removed, or would be.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CleanReport {
    /// Whether a commit was cut off; finishing it is part of cleaning.
    pub unfinished_commit: bool,
    /// Attempts that may not publish any more, such as `attempt 2 of run nightly`.
    pub revoked: Vec<String>,
    /// What no job will use again.
    pub leftovers: Vec<Leftover>,
    /// Records of the ledger beyond those that are kept.
    pub records: usize,
    /// Objects that are no part of the output and are kept: they are young, or of an attempt that has a young one.
    pub kept: usize,
}

/// An object, or a staging folder on disk.
#[derive(Clone, Debug, PartialEq)]
pub struct Leftover {
    /// Its address, or its path on disk.
    pub address: String,
    /// Its size.
    pub bytes: u64,
}

impl CleanReport {
    /// Adds an attempt that may not publish any more.
    pub(super) fn revoke(&mut self, claim: &Claim) {
        let run =
            claim.run_id.as_deref().map_or("a run without a given id".to_owned(), |id| format!("run {id}"));
        self.revoked.push(format!("attempt {} of {run}", claim.attempt));
    }
}

/// Cleans up at `output`.
///
/// # Errors
/// Config for a table with a log of its own; else by the failing operation.
pub fn clean(output: &Location, options: &CleanOptions) -> Result<CleanReport> {
    check_name(output)?;
    let mut report = match output.local_path() {
        Some(target) => local::clean::clean(&target, options)?,
        None => objects::clean::clean(&output.store, &output.path, options)?,
    };
    let folder = RecordFolder::of(output)?;
    let surplus = ledger::surplus(&folder)?;
    report.records = surplus.len();
    if options.delete {
        folder.remove(&surplus)?;
    }
    Ok(report)
}

/// The number of the newest attempt of a run that the head of `output` knows.
///
/// # Errors
/// Data for a head that cannot be read; else by the failing operation.
pub fn last_attempt(output: &Location, run_id: &str) -> Result<Option<u32>> {
    Ok(match output.local_path() {
        Some(target) => local::peek(&std::fs::canonicalize(&target).unwrap_or(target))?.last_attempt(run_id),
        None => objects::peek(&output.store, &output.path)?.last_attempt(run_id),
    })
}
