//! Generated input data, kept below the temporary directory.
//!
//! Data is generated from a seed once. The same request gives the same rows everywhere, so that figures
//! of different days and machines are about the same data. A folder appears under its name only when it
//! is complete. Each benchmark defines its own rows.

pub mod random;
pub mod table;
pub mod text;
mod vocabulary;

use std::fs;
use std::path::{Path, PathBuf};

use kiln::{Error, Result};

/// Seed of the data of the published figures.
pub const DEFAULT_SEED: u64 = 1;

/// The folder of the data set `name` with `rows` rows, written by `write` unless it exists.
///
/// # Errors
/// Fails when `write` fails, or the folder cannot be created.
pub fn cached(name: &str, rows: u64, write: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let folder = std::env::temp_dir().join(format!("kiln-bench-{name}-{rows}-{DEFAULT_SEED}"));
    if folder.exists() {
        return Ok(folder);
    }
    eprintln!("writing {}", folder.display());
    let unfinished = folder.with_extension(format!("unfinished-{}", std::process::id()));
    let failed = |e| Error::io("the data cannot be written", e).at("folder", unfinished.display());
    fs::create_dir_all(&unfinished).map_err(failed)?;
    let written = write(&unfinished).and_then(|()| fs::rename(&unfinished, &folder).map_err(failed));
    if written.is_err() {
        // Best effort: only the first error is reported.
        let _ = fs::remove_dir_all(&unfinished);
    }
    written.map(|()| folder)
}
