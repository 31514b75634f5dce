//! What the benchmarks read: made from a seed, once, and kept below the temporary directory.
//!
//! A name, a number of rows and a way to write them go in, a path comes out. The same request gives
//! the same rows everywhere, so that figures of different days and machines are about the same data.
//! Files appear under their name only when all of them are whole. What the rows are is known to the
//! benchmark that asks.

pub mod random;
pub mod table;
pub mod text;
mod vocabulary;

use std::fs;
use std::path::{Path, PathBuf};

use kiln::{Error, Result};

/// The seed of the data that the published figures are for.
pub const DEFAULT_SEED: u64 = 1;

/// The folder of the data set `name` with so many rows, filled by `write` unless it is there.
///
/// # Errors
/// When `write` fails, or the folder cannot be made.
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
        // Best effort: the error that is reported is the one that matters.
        let _ = fs::remove_dir_all(&unfinished);
    }
    written.map(|()| folder)
}
