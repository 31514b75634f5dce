//! The folder of one process's temporary files: gone when the process ends, or at the next start.
//!
//! A lock on a file in it is held for as long as the process lives, so a folder whose lock is free
//! belongs to nobody, and [`sweep`] may remove it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::lock;

/// How the folders' names begin.
const PREFIX: &str = "kiln-tmp-";
/// The file with the lock.
const LOCK: &str = "lock";

/// A folder for temporary files; dropped, it is removed with all that is in it.
pub struct TempFolder {
    path: PathBuf,
    _lock: File,
}

impl TempFolder {
    /// A new folder in `tmp`, which is made if it is not there.
    ///
    /// # Errors
    /// Auth without permission, resource when the disk is full.
    pub fn make(tmp: &Path) -> Result<TempFolder> {
        let path = tmp.join(format!("{PREFIX}{}", uuid::Uuid::new_v4()));
        let failed = |e| {
            Error::io("cannot make a folder for temporary files", e)
                .at("folder", path.display())
                .help("KILN_TMP says where temporary files go")
        };
        // The lock is taken under another name: a folder without it would be swept by another process.
        let unborn = tmp.join(format!(".{PREFIX}{}", uuid::Uuid::new_v4()));
        fs::create_dir_all(&unborn).map_err(failed)?;
        let lock = lock::hold_new(&unborn.join(LOCK)).map_err(failed)?;
        fs::rename(&unborn, &path).map_err(failed)?;
        Ok(TempFolder { path, _lock: lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for TempFolder {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

/// Removes the folders in `tmp` whose processes have ended without removing them.
pub fn sweep(tmp: &Path) {
    let Ok(entries) = fs::read_dir(tmp) else { return };
    for entry in entries.flatten() {
        let is_ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        if is_ours && let Some(_held) = lock::take_abandoned(&entry.path().join(LOCK)) {
            log::info!(
                "removing the temporary files of a process that was killed: {}",
                entry.path().display()
            );
            remove(&entry.path());
        }
    }
}

fn remove(folder: &Path) {
    if let Err(error) = fs::remove_dir_all(folder)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        log::warn!("the temporary files in {} cannot be removed: {error}", folder.display());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_swept_only_when_nobody_holds_it() {
        let tmp = tempfile::tempdir().unwrap();
        let held = TempFolder::make(tmp.path()).unwrap();
        let left = tmp.path().join(format!("{PREFIX}left"));
        fs::create_dir(&left).unwrap();
        fs::write(left.join(LOCK), "").unwrap();
        fs::write(left.join("rows"), "rows").unwrap();
        sweep(tmp.path());
        assert!(held.path().exists() && !left.exists());
        let path = held.path().to_owned();
        drop(held);
        assert!(!path.exists());
    }
}
