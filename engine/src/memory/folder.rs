//! The folder for the temporary files of one process: removed when the process ends, or at the next start.
//!
//! The process locks a file in the folder for as long as it lives, so a folder whose lock is free is
//! abandoned and [`sweep`] may remove it. It may also remove an empty folder: its process was killed before
//! it took the lock, or has yet to take it and then creates another folder.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::lock;

/// The prefix of the folders' names.
const PREFIX: &str = "kiln-tmp-";
/// The name of the locked file.
const LOCK: &str = "lock";

/// A folder for temporary files; dropping it removes the folder and everything in it.
pub struct TempFolder {
    path: PathBuf,
    _lock: File,
}

impl TempFolder {
    /// Creates a new folder in `tmp`, which is created too if it does not exist.
    ///
    /// # Errors
    /// Auth without permission, resource when the disk is full.
    pub fn make(tmp: &Path) -> Result<TempFolder> {
        let failed = |e| Error::io("cannot make a folder for temporary files", e);
        fs::create_dir_all(tmp).map_err(failed)?;
        let (path, lock) = lock::again(|| {
            let path = tmp.join(format!("{PREFIX}{}", uuid::Uuid::new_v4()));
            fs::create_dir(&path)?;
            Ok((path.clone(), lock::hold_new(&path.join(LOCK))?))
        })
        .map_err(failed)?;
        Ok(TempFolder { path, _lock: lock })
    }

    /// The path of the folder.
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
    for path in entries.flatten().map(|entry| entry.path()).filter(|path| is_ours(path)) {
        if let Some(_held) = lock::take_abandoned(&path.join(LOCK)) {
            log::info!("removing the temporary files of a process that was killed: {}", path.display());
            remove(&path);
        } else {
            // Removes empty folders only.
            let _ = fs::remove_dir(&path);
        }
    }
}

/// Whether `path` is a folder of this user with a name made by [`TempFolder::make`].
fn is_ours(path: &Path) -> bool {
    let id = path.file_name().and_then(|name| name.to_str()?.strip_prefix(PREFIX));
    let me = rustix::process::geteuid().as_raw();
    id.is_some_and(|id| uuid::Uuid::try_parse(id).is_ok())
        && fs::symlink_metadata(path).is_ok_and(|meta| meta.is_dir() && meta.uid() == me)
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
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    fn named(tmp: &Path) -> PathBuf {
        tmp.join(format!("{PREFIX}{}", uuid::Uuid::new_v4()))
    }

    #[test]
    fn a_folder_is_swept_only_when_nobody_holds_it() {
        let tmp = tempfile::tempdir().unwrap();
        let held = TempFolder::make(tmp.path()).unwrap();
        let (left, foreign) = (named(tmp.path()), tmp.path().join(format!("{PREFIX}notes")));
        fs::create_dir(&left).unwrap();
        fs::write(left.join(LOCK), "").unwrap();
        fs::write(left.join("rows"), "rows").unwrap();
        fs::create_dir(&foreign).unwrap();
        sweep(tmp.path());
        assert!(held.path().exists() && !left.exists() && foreign.exists());
        let path = held.path().to_owned();
        drop(held);
        assert!(!path.exists());
    }

    #[test]
    fn a_folder_goes_while_another_thread_removes_its_files() {
        let tmp = tempfile::tempdir().unwrap();
        for _ in 0..10 {
            let folder = named(tmp.path());
            let files: Vec<PathBuf> = (0..2000).map(|i| folder.join(format!("{i}"))).collect();
            fs::create_dir(&folder).unwrap();
            files.iter().for_each(|file| fs::write(file, "").unwrap());
            std::thread::scope(|threads| {
                threads.spawn(|| files.iter().for_each(|file| drop(fs::remove_file(file))));
                remove(&folder);
            });
            assert!(!folder.exists());
        }
    }

    #[test]
    fn a_process_killed_while_it_makes_its_folder_leaves_nothing_that_stays() {
        let tmp = tempfile::tempdir().unwrap();
        let steps: [fn(&Path); 2] = [|_| {}, |folder| fs::write(folder.join(LOCK), "").unwrap()];
        for step in steps {
            let folder = named(tmp.path());
            fs::create_dir(&folder).unwrap();
            step(&folder);
        }
        sweep(tmp.path());
        assert_eq!(tmp.path().read_dir().unwrap().count(), 0);
    }

    #[test]
    fn a_folder_is_made_and_kept_however_often_others_sweep() {
        let tmp = tempfile::tempdir().unwrap();
        let done = AtomicBool::new(false);
        std::thread::scope(|threads| {
            let sweeps = || {
                while !done.load(Ordering::SeqCst) {
                    sweep(tmp.path())
                }
            };
            threads.spawn(sweeps);
            let made: Vec<TempFolder> = (0..500).map(|_| TempFolder::make(tmp.path()).unwrap()).collect();
            let kept = made.iter().all(|folder| folder.path().join(LOCK).exists());
            done.store(true, Ordering::SeqCst);
            assert!(kept);
        });
    }
}
