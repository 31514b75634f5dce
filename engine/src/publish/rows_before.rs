//! How many rows an output has before a publish: by its manifest, its log, or the footers of its files.

use super::head::Scope;
use super::{Mode, OutputFile, Publication, Request};
use crate::error::Result;
use crate::source::{InputFile, ManifestFile, Version, parquet_footer};

impl Publication {
    /// The rows that a publish of `new` replaces, and those to which it adds; nothing where other programs have left files
    /// whose rows nobody has counted.
    ///
    /// # Errors
    /// By the failing operation.
    pub fn rows_before(&self, new: &[OutputFile]) -> Result<Option<(u64, u64)>> {
        let (request, files, folder) = match self {
            Publication::Table(table) => return table.rows_before(new),
            Publication::Local(local) => local.before()?,
            Publication::Objects(objects) => objects.before()?,
        };
        let scope = replaced_by(request, new);
        let is_append = matches!(request.mode, Mode::Append | Mode::AppendOnce);
        let (mut replaced, mut kept) = (0, 0);
        for file in files {
            let sum = match (scope.removes(&file.name), is_append) {
                (true, _) => &mut replaced,
                (false, true) => &mut kept,
                // Partitions that are not touched.
                (false, false) => continue,
            };
            let Some(rows) = rows_of(&file, &folder)? else { return Ok(None) };
            *sum += rows;
        }
        Ok(Some((replaced, kept)))
    }
}

/// What a publish of `new` removes.
pub(super) fn replaced_by(request: &Request, new: &[OutputFile]) -> Scope {
    match request.mode {
        Mode::Overwrite => Scope::whole(),
        Mode::ReplacePartitions => Scope::of(super::partitions(new, &request.expected), true),
        Mode::Error | Mode::Ignore | Mode::Append | Mode::AppendOnce => Scope::new_output(),
    }
}

/// The rows of a file of the output in `folder`, which has an exact address.
fn rows_of(file: &ManifestFile, folder: &str) -> Result<Option<u64>> {
    match file.rows {
        Some(rows) => Ok(Some(rows)),
        None if file.name.ends_with(".parquet") => {
            footer_rows(format!("{folder}/{}", file.name), file.bytes).map(Some)
        }
        None => Ok(None),
    }
}

/// The rows of the Parquet file at `address`.
///
/// # Errors
/// Data for a damaged file; else by the failing operation.
pub(super) fn footer_rows(address: String, size: u64) -> Result<u64> {
    Ok(parquet_footer(&InputFile { address, size, version: Version::Unknown })?.0)
}
