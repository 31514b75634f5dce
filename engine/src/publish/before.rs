//! Whether a run has published before: asked before its source is planned, so that a retry after success costs the source
//! nothing. Nothing is claimed or changed here; the attempt that goes on asks again, under its claim.

use super::delta::Log;
use super::{Head, local, objects};
use crate::error::Result;
use crate::job::Run;
use crate::source::Location;

/// Whether, by the head of `uri`, this run has published its next write there.
///
/// # Errors
/// Those of reading the head.
pub fn has_published(uri: &str, run: &Run) -> Result<bool> {
    if !run.identity().is_given {
        return Ok(false);
    }
    let output = Location::output(uri)?;
    if !is_published(&output)? {
        // Somebody has removed it: it is not published any more.
        return Ok(false);
    }
    let sequence = run.writes_to(&output.uri());
    let is_it = |run_id: &Option<String>, at: u32| run_id.as_deref() == Some(run.run_id()) && at == sequence;
    Ok(match output.local_path() {
        Some(target) => holds(&local::peek(&std::fs::canonicalize(&target).unwrap_or(target))?, is_it),
        None => holds(&objects::peek(&output.store, &output.path)?, is_it),
    })
}

/// Whether something is published at `uri`.
///
/// # Errors
/// Config for an address that cannot be one of an output; else by the failing request.
pub fn is_there(uri: &str) -> Result<bool> {
    is_published(&Location::output(uri)?)
}

fn is_published(output: &Location) -> Result<bool> {
    if let Some(target) = output.local_path() {
        return Ok(target.exists());
    }
    let log = Log::at(output);
    Ok(log.has_manifest()? || log.exists()?)
}

fn holds<S>(head: &Head<S>, is_it: impl Fn(&Option<String>, u32) -> bool) -> bool {
    head.publishes().iter().any(|done| is_it(&done.claim.run_id, done.claim.sequence))
}
