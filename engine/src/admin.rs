//! Looking after outputs, beside the jobs that publish them: which runs there were, and what killed ones have left.
//!
//! The command `kiln` is made of this. None of it runs inside a job.
//!
//! ```
//! # fn main() -> kiln::Result<()> {
//! # let place = tempfile::tempdir().unwrap();
//! # let output = place.path().join("days").display().to_string();
//! for record in kiln::admin::runs(&output)? {
//!     println!("{} {}", record.run_id, record.status);
//! }
//! let report = kiln::admin::clean(&output, &kiln::admin::CleanOptions::default())?;
//! println!("{} files could be removed", report.leftovers.len());
//! # Ok(()) }
//! ```

use std::time::Duration;

use object_store::ObjectStoreExt;

use crate::error::{Error, Result};
use crate::publish;
use crate::publish::delta::{AsOf, Log, decoded};
pub use crate::publish::{CleanOptions, CleanReport, HIDDEN, Leftover, RunRecord};
use crate::source::{ListOptions, Location, list_with};

/// A grace that is shorter is refused without `force`.
const MIN_GRACE: Duration = Duration::from_secs(3600);

/// A data file of an output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataFile {
    /// Its absolute address.
    pub address: String,
    /// Its size.
    pub bytes: u64,
}

/// The files of the output at `uri` as it is published now, sorted by address: what another system is told to load. Of a
/// Delta table those of its latest version; else those that readers of Kiln see.
///
/// # Errors
/// Config for an address at which nothing is; else by the failing operation.
pub fn files(uri: &str) -> Result<Vec<DataFile>> {
    let output = Location::output(uri)?;
    let log = Log::at(&output);
    let Some(snapshot) = (if log.exists()? { log.load(AsOf::Latest)? } else { None }) else {
        let listed = list_with(uri, &ListOptions { recurse: true, ..ListOptions::default() })?;
        let files = listed.files.into_iter();
        return Ok(files.map(|file| DataFile { address: file.address, bytes: file.size }).collect());
    };
    let mut files = Vec::new();
    for add in snapshot.files.values() {
        let address = log.store.address(&log.below(&decoded(&add.path)?)?);
        files.push(DataFile { address, bytes: u64::try_from(add.size).unwrap_or_default() });
    }
    files.sort_by(|a, b| a.address.cmp(&b.address));
    Ok(files)
}

/// Writes a small file in place of what is there, such as a manifest beside an output. Its name begins with `_`, so that no
/// reader of a folder takes it for data.
///
/// # Errors
/// Config for another name or a malformed address; else by the failing operation.
pub fn put_file(address: &str, content: &[u8]) -> Result<()> {
    let file = Location::output(address)?;
    if !file.path.filename().is_some_and(|name| name.starts_with('_')) {
        return Err(Error::config("the name of a file beside data begins with `_`").at("file", address));
    }
    if let Some(path) = file.local_path() {
        let written = std::fs::write(&path, content);
        return written.map_err(|e| Error::io("the file cannot be written", e).at("file", path.display()));
    }
    let put = file.store.objects().put(&file.path, content.to_vec().into());
    file.store.wait(put).map(drop).map_err(|e| Error::from(e).at("file", address))
}

/// The recorded attempts at publishing to the output at `uri`, the newest first.
///
/// # Errors
/// Config for an address that is malformed; else by the failing operation.
pub fn runs(uri: &str) -> Result<Vec<RunRecord>> {
    publish::records(&Location::output(uri)?).map_err(|e| e.at("output", uri))
}

/// A number for the next attempt of a run at the output at `uri`: larger than that of every recorded attempt and of
/// every one that may be alive.
///
/// # Errors
/// As [`runs`].
pub fn next_attempt(uri: &str, run_id: &str) -> Result<u32> {
    let output = Location::output(uri)?;
    let last = publish::last_attempt(&output, run_id).map_err(|e| e.at("output", uri))?;
    let records = runs(uri)?;
    let recorded =
        records.iter().filter(|record| record.run_id == run_id).filter_map(|record| record.attempt);
    Ok(recorded.chain(last).max().unwrap_or(0).saturating_add(1))
}

/// Removes what killed jobs have left at the output at `uri`, or only lists it; never a file of the output.
///
/// On disk: staging folders whose jobs have ended, beside the output, and a commit that was cut off. In a store: objects and
/// open uploads of attempts that were given up, and again a commit that was cut off. Files of a Delta table are kept as
/// long as a version names them. An attempt whose objects are all older than
/// `grace` may not publish any more.
///
/// # Errors
/// Usage for a short grace without `force`, config for a table that Kiln cannot read; else by the failing operation.
pub fn clean(uri: &str, options: &CleanOptions) -> Result<CleanReport> {
    if options.grace < MIN_GRACE && !options.force {
        let error = Error::usage("a grace of less than an hour could fence a job that is at work");
        return Err(error.reason("grace_too_short").help("give `force` if no job publishes here now"));
    }
    publish::clean(&Location::output(uri)?, options).map_err(|e| e.at("output", uri))
}
