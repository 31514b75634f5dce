//! The export file: which files are read, and where their rows go. It holds no secrets.

use std::path::Path;

use kiln::Result;
use serde::Deserialize;

use super::source::FileSource;
use super::targets::{ExportTarget, Target, with_target};
use crate::load::file::read_with;

/// An export.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportFile {
    pub source: FileSource,
    pub target: Target,
}

/// Reads an export file and puts in the values of parameters.
///
/// # Errors
/// Config, with file and line, for what cannot be read, is not known or has no value.
pub fn read(path: &Path, given: &[(String, String)]) -> Result<ExportFile> {
    read_with(path, given, |export: &mut ExportFile, params| {
        export.source.fill(params)?;
        with_target!(&mut export.target, target => target.fill(params))
    })
}
