//! A temporary folder for one run of a contender or of a test: its output and its temporary files.
//!
//! It is below the temporary directory and is removed with its contents after the run. Temporary files
//! that a contender leaves behind are an error.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use kiln::{Error, Result};

/// The folders of one run.
pub struct Scratch {
    folder: PathBuf,
}

impl Scratch {
    /// Creates new, empty folders.
    ///
    /// # Errors
    /// Fails when they cannot be created.
    pub fn new() -> Result<Scratch> {
        static RUNS: AtomicUsize = AtomicUsize::new(0);
        let (process, run) = (std::process::id(), RUNS.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(format!("kiln-bench-run-{process}-{run}"));
        let scratch = Scratch { folder };
        fs::create_dir_all(scratch.tmp()).map_err(|e| scratch.failed(e))?;
        Ok(scratch)
    }

    /// The output folder, which does not exist yet.
    pub fn output(&self) -> PathBuf {
        self.folder.join("output")
    }

    /// The folder of temporary files.
    pub fn tmp(&self) -> PathBuf {
        self.folder.join("tmp")
    }

    /// Checks that no temporary files are left.
    ///
    /// # Errors
    /// Fails when one is left, or the folder cannot be listed.
    pub fn check_no_file_is_left(&self) -> Result<()> {
        match entry_of(&self.tmp()).map_err(|e| self.failed(e))? {
            Some(left) => Err(Error::bug("a temporary file is left").at("file", left.display())),
            None => Ok(()),
        }
    }

    fn failed(&self, error: std::io::Error) -> Error {
        Error::io("the folder of a run cannot be used", error).at("folder", self.folder.display())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Best effort, because the folder is below the temporary directory.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Any entry of `folder`.
fn entry_of(folder: &Path) -> std::io::Result<Option<PathBuf>> {
    fs::read_dir(folder)?.next().transpose().map(|entry| entry.map(|entry| entry.path()))
}
