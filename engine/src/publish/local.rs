//! The commit on a local file system.
//!
//! Tasks write into a staging folder beside the target; `commit` puts their files into the tree
//! `ready` and brings that to the target, one commit at a time in each parent folder. What is promised:
//!
//! | mode | a reader that lists the target sees | a driver killed in the commit leaves |
//! |---|---|---|
//! | error | nothing, or all files | nothing, or all files |
//! | overwrite | all files of one whole output; names differ between outputs, so that one who opens a replaced file gets an error and no mix | one whole output |
//! | append | files joining one by one | some of the files, until the next publish beside it takes them back |
//! | replace partitions | every partition old or new, each swapped in one step, together in none | some partitions new, the others old |
//!
//! Where the file system cannot exchange two folders, overwriting takes two renames, between which
//! there is nothing. What is in the files is not known here.

mod journal;
mod settle;
mod staging;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::mode::{exists, not_a_folder};
use super::{Mode, Part, Place, tagged};
use crate::error::{Error, Result};
use crate::job::{CleanupGuard, Output, Run};
use crate::source::file_uri;
use journal::Journal;
use settle::settle;
use staging::Staging;

/// An output that is being made. Dropped before [`commit`](LocalPublication::commit), it leaves nothing.
pub struct LocalPublication {
    target: PathBuf,
    mode: Mode,
    staging: Arc<Staging>,
    /// Held while the output is brought to its place, and while the staging folder is removed because
    /// the process is told to end: set once it is gone.
    gone: Arc<Mutex<bool>>,
    /// Removes the staging folder when the process is told to end.
    _cleanup: CleanupGuard,
}

impl LocalPublication {
    /// Prepares to publish at the path `target`; `None` when there is nothing to do.
    ///
    /// # Errors
    /// Config when the mode does not allow what is there, auth without permission.
    pub fn begin(target: PathBuf, mode: Mode, run: &Run) -> Result<Option<LocalPublication>> {
        match fs::metadata(&target) {
            Ok(_) if mode == Mode::Ignore => return Ok(None),
            Ok(meta) if mode.joins() && !meta.is_dir() => return Err(not_a_folder(&file_uri(&target))),
            Ok(_) if mode.joins() => {}
            // A link that leads nowhere is something, too.
            _ if fs::symlink_metadata(&target).is_ok() => return Err(exists(&file_uri(&target))),
            _ => {}
        }
        // A link to a folder stands for the folder, which is what is replaced.
        let target = fs::canonicalize(&target).unwrap_or(target);
        let staging = Arc::new(Staging::make(&target)?);
        let gone = Arc::new(Mutex::new(false));
        let (doomed, gate) = (Arc::clone(&staging), Arc::clone(&gone));
        let cleanup = run.cleanup.register(Box::new(move || {
            *lock(&gate) = true;
            doomed.remove();
        }));
        Ok(Some(LocalPublication { target, mode, staging, gone, _cleanup: cleanup }))
    }

    /// Where tasks write their files.
    pub fn place(&self) -> Place {
        Place::Folder(self.staging.parts())
    }

    /// Publishes the files in `parts`, and no others.
    ///
    /// # Errors
    /// Config when something has appeared at the target meanwhile; else by the failing operation.
    pub fn commit(self, partitions: u64, mut parts: Vec<Part>) -> Result<Output> {
        // The first output at a place has the plain names, later ones may meet a reader of an earlier.
        if self.mode.joins() {
            let tag = self.staging.tag();
            parts.iter_mut().for_each(|part| part.name = tagged(&part.name, tag));
        }
        let ready = self.make_ready(&parts)?;
        let _turn = self.staging.take_turn()?;
        let gone = lock(&self.gone);
        if *gone {
            return Err(Error::job_stopped());
        }
        self.bring(&ready, &parts)?;
        // From here on the output is there; a parent that cannot be synced is only worth a warning.
        if let Err(error) = self.sync_above() {
            log::warn!("{error}");
        }
        Ok(super::output(file_uri(&self.target), partitions, &parts))
    }

    /// The tree of the output, durable but not in its place.
    fn make_ready(&self, parts: &[Part]) -> Result<PathBuf> {
        settle(&self.staging.parts(), parts)?;
        let ready = self.staging.path().join("ready");
        let mut folders = BTreeSet::from([ready.clone()]);
        fs::create_dir(&ready).map_err(|e| cannot("make the folder", &ready, e))?;
        for part in parts {
            let (from, to) = (self.staging.parts().join(&part.staged), ready.join(&part.name));
            let above = to.ancestors().skip(1).take_while(|folder| *folder != ready);
            folders.extend(above.map(Path::to_path_buf));
            let folder = to.parent().unwrap_or(&ready);
            fs::create_dir_all(folder).map_err(|e| cannot("make the folder", folder, e))?;
            fs::rename(&from, &to).map_err(|e| cannot("take the file", &from, e))?;
        }
        folders.iter().try_for_each(|folder| sync(folder))?;
        Ok(ready)
    }

    /// Makes the target's name durable, with the names of the folders that were made for it.
    fn sync_above(&self) -> Result<()> {
        let mut above = self.target.ancestors().skip(1);
        above.next().map_or(Ok(()), sync)?;
        above.take_while(|folder| self.staging.has_made_in(folder)).try_for_each(sync)
    }

    /// The commit itself.
    fn bring(&self, ready: &Path, parts: &[Part]) -> Result<()> {
        if rename_to_new(ready, &self.target)? {
            return Ok(());
        }
        match self.mode {
            Mode::Error | Mode::Ignore => Err(exists(&file_uri(&self.target))),
            _ if !self.target.is_dir() => Err(not_a_folder(&file_uri(&self.target))),
            Mode::Overwrite => self.replace(ready, &self.target),
            Mode::Append => self.append(ready, parts),
            Mode::ReplacePartitions => self.replace_partitions(ready, parts),
        }
    }

    /// Swaps `new` with the folder `old`; what was there goes with the staging folder.
    fn replace(&self, new: &Path, old: &Path) -> Result<()> {
        match renameat_with(CWD, new, CWD, old, RenameFlags::EXCHANGE) {
            Ok(()) => Ok(()),
            Err(Errno::INVAL | Errno::NOSYS) => {
                let aside = self.staging.path().join(format!("old-{}", uuid::Uuid::new_v4()));
                fs::rename(old, &aside).map_err(|e| cannot("replace", old, e))?;
                fs::rename(new, old).map_err(|e| cannot("publish", old, e))
            }
            Err(e) => Err(cannot("replace", old, e.into())),
        }
    }

    /// Moves every file into the target. The journal names them first, so that whoever finds this
    /// staging folder abandoned takes them back.
    fn append(&self, ready: &Path, parts: &[Part]) -> Result<()> {
        // A file without rows says what columns there are; here others do.
        let parts: Vec<&str> =
            parts.iter().filter(|part| part.rows > 0).map(|part| part.name.as_str()).collect();
        let journal = Journal::write(self.staging.path(), &parts)?;
        let moved = parts.iter().try_for_each(|name| move_in(ready, &self.target, name));
        let durable = moved.and_then(|()| sync_folders(&self.target, &parts));
        // Not by the journal, which may be gone when this fails.
        durable.and_then(|()| journal.end()).inspect_err(|_| {
            journal::take_back(parts.iter().copied(), &self.target, self.staging.tag());
        })
    }

    fn replace_partitions(&self, ready: &Path, parts: &[Part]) -> Result<()> {
        let folders: BTreeSet<&str> =
            parts.iter().filter_map(|part| part.name.rsplit_once('/')).map(|(folder, _)| folder).collect();
        for folder in &folders {
            let (new, old) = (ready.join(folder), self.target.join(folder));
            let above = old.parent().unwrap_or(&self.target);
            fs::create_dir_all(above).map_err(|e| cannot("make the folder", above, e))?;
            if !rename_to_new(&new, &old)? {
                self.replace(&new, &old)?;
            }
        }
        sync_folders(&self.target, &folders)
    }
}

impl Drop for LocalPublication {
    fn drop(&mut self) {
        self.staging.remove();
    }
}

fn move_in(ready: &Path, target: &Path, name: &str) -> Result<()> {
    let (from, to) = (ready.join(name), target.join(name));
    let folder = to.parent().unwrap_or(target);
    fs::create_dir_all(folder).map_err(|e| cannot("make the folder", folder, e))?;
    if rename_to_new(&from, &to)? { Ok(()) } else { Err(exists(&file_uri(&to))) }
}

/// Makes names in `target` durable, with the folders that lead to them: they may be new.
fn sync_folders<'n>(target: &Path, names: impl IntoIterator<Item = &'n &'n str>) -> Result<()> {
    let mut folders = BTreeSet::new();
    for name in names {
        let path = target.join(name);
        folders.extend(path.ancestors().skip(1).take_while(|f| f.starts_with(target)).map(Path::to_path_buf));
    }
    folders.iter().try_for_each(|folder| sync(folder))
}

/// Renames to a name that must be free; says whether it was.
fn rename_to_new(from: &Path, to: &Path) -> Result<bool> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(true),
        Err(Errno::EXIST | Errno::NOTEMPTY) => Ok(false),
        // Some file systems cannot promise it; commits of Kiln take turns, so looking first is enough.
        Err(Errno::INVAL | Errno::NOSYS) if fs::symlink_metadata(to).is_ok() => Ok(false),
        Err(Errno::INVAL | Errno::NOSYS) => {
            fs::rename(from, to).map(|()| true).map_err(|e| cannot("publish", to, e))
        }
        Err(e) => Err(cannot("publish", to, e.into())),
    }
}

fn lock(gone: &Mutex<bool>) -> MutexGuard<'_, bool> {
    gone.lock().unwrap_or_else(PoisonError::into_inner)
}

fn sync(folder: &Path) -> Result<()> {
    File::open(folder).and_then(|f| f.sync_all()).map_err(|e| cannot("sync the folder", folder, e))
}

fn cannot(what: &str, path: &Path, error: io::Error) -> Error {
    Error::io(format!("cannot {what}"), error).at("path", path.display())
}
