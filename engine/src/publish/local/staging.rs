//! The staging folder of one publish: `.kiln-stage/<name>-<uuid>` beside the target.
//!
//! A lock on the file `<name>-<uuid>.lock` is held for as long as the driver lives, and the system
//! drops it however the driver ends. So a staging folder whose lock is free belongs to nobody: the
//! next publish in the same parent takes back what its commit had not ended, and removes it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};

use super::{cannot, journal};
use crate::error::{Error, Result};
use crate::lock;
use crate::publish::STAGE;

/// What the names of locks end in.
const LOCK: &str = ".lock";
/// The length of a UUID and the dash before it.
const ID_CHARS: usize = 37;
/// How much of it stands in the names of files.
const TAG_CHARS: usize = 8;
/// How long a commit waits for others in the same parent, which only rename.
const TURN_LIMIT: Duration = Duration::from_secs(60);
/// How often it looks.
const TURN_LOOK: Duration = Duration::from_millis(5);

/// A staging folder of this process.
pub struct Staging {
    path: PathBuf,
    /// The outermost folder that had to be made for the target.
    made: Option<PathBuf>,
    _lock: File,
}

impl Staging {
    /// A new staging folder for `target`, after those that killed drivers left beside it are removed.
    ///
    /// # Errors
    /// Auth without permission, resource when the disk is full.
    pub fn make(target: &Path) -> Result<Staging> {
        let (Some(parent), Some(name)) = (target.parent(), target.file_name()) else {
            return Err(Error::config("an output cannot be the root folder").at("output", target.display()));
        };
        let stage = parent.join(STAGE);
        sweep(&stage);
        let made = first_missing(parent);
        let failed = |e| cannot("stage the output in", parent, e);
        let (path, lock) = lock::again(|| {
            let path = stage.join(format!("{}-{}", name.to_string_lossy(), uuid::Uuid::new_v4()));
            fs::create_dir_all(&stage)?;
            Ok((path.clone(), lock::hold_new(&lock_of(&path))?))
        })
        .map_err(failed)?;
        let staging = Staging { path, made, _lock: lock };
        fs::create_dir_all(staging.parts()).map_err(failed)?;
        Ok(staging)
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where tasks write.
    pub fn parts(&self) -> PathBuf {
        self.path.join("parts")
    }

    /// Whether `folder` got a folder that had to be made for the target.
    pub fn has_made_in(&self, folder: &Path) -> bool {
        self.made.as_ref().and_then(|made| made.parent()).is_some_and(|outer| folder.starts_with(outer))
    }

    /// What tells apart the files of this publish from those of others.
    pub fn tag(&self) -> &str {
        split_id(&self.path).map_or("", |(_, tag)| tag)
    }

    /// Waits until no other commit is under way in the same parent; the guard keeps others waiting.
    pub fn take_turn(&self) -> Result<File> {
        let stage = self.path.parent().unwrap_or(&self.path);
        let folder = File::open(stage).map_err(|e| cannot("open", stage, e))?;
        let end = Instant::now() + TURN_LIMIT;
        loop {
            match flock(&folder, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(folder),
                Err(rustix::io::Errno::WOULDBLOCK) if Instant::now() < end => std::thread::sleep(TURN_LOOK),
                Err(e) => return Err(cannot("wait for another commit in", stage, e.into())),
            }
        }
    }

    /// Removes the folder, and those around it that were made for it and are empty.
    pub fn remove(&self) {
        remove(&self.path);
        // `remove_dir` takes empty folders only: another job's staging or a published output stays.
        let mut next = self.path.parent();
        while let Some(folder) = next {
            let ours =
                folder.ends_with(STAGE) || self.made.as_ref().is_some_and(|made| folder.starts_with(made));
            if !ours || fs::remove_dir(folder).is_err() {
                break;
            }
            next = folder.parent();
        }
    }
}

/// Removes the staging folders in `stage` whose drivers have ended without removing them.
fn sweep(stage: &Path) {
    let Ok(entries) = fs::read_dir(stage) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        let folder = path.with_extension("");
        if !path.to_string_lossy().ends_with(LOCK) || split_id(&folder).is_none() {
            continue;
        }
        if let Some(_held) = lock::take_abandoned(&path) {
            log::info!("removing what a killed job has staged: {}", folder.display());
            take_back(&folder);
            remove(&folder);
        }
    }
}

/// Undoes the commit that a killed driver had begun, if it had to be undone.
fn take_back(folder: &Path) {
    if let (Some((name, tag)), Some(parent)) = (split_id(folder), folder.parent().and_then(Path::parent)) {
        journal::undo(folder, &parent.join(name), tag);
    }
}

/// The name of the target and the tag, from a staging folder's name.
fn split_id(folder: &Path) -> Option<(&str, &str)> {
    let id = folder.file_name()?.to_str()?;
    let dash = id.len().checked_sub(ID_CHARS)?;
    let (name, uuid) = (id.get(..dash)?, id.get(dash + 1..)?);
    let is_uuid = uuid::Uuid::try_parse(uuid).is_ok() && !name.is_empty() && name != "." && name != "..";
    is_uuid.then(|| (name, &uuid[..TAG_CHARS]))
}

fn lock_of(folder: &Path) -> PathBuf {
    let mut name = folder.as_os_str().to_owned();
    name.push(LOCK);
    name.into()
}

/// Removes a staging folder and then its lock: what could not be removed is tried again next time.
fn remove(folder: &Path) {
    match fs::remove_dir_all(folder) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            log::warn!("the staging folder {} cannot be removed: {e}", folder.display());
        }
        _ => {
            let _ = fs::remove_file(lock_of(folder));
        }
    }
}

/// The outermost of `folder` and its parents that is not there.
fn first_missing(folder: &Path) -> Option<PathBuf> {
    folder.ancestors().take_while(|f| !f.as_os_str().is_empty() && !f.exists()).last().map(Path::to_path_buf)
}

#[cfg(test)]
mod tests {
    use super::super::journal::Journal;
    use super::*;

    /// A staging folder whose driver is gone, and an append of its that had not ended.
    fn leave(target: &Path, names: &[&str]) -> String {
        let staging = Staging::make(target).unwrap();
        let tag = staging.tag().to_owned();
        let names: Vec<String> = names.iter().map(|name| name.replace("TAG", &tag)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        Journal::write(staging.path(), &names).unwrap();
        tag // dropping `staging` drops its lock, as the end of a process does, and removes nothing
    }

    #[test]
    fn an_append_of_a_killed_driver_is_taken_back_and_nothing_else_is() {
        let place = tempfile::tempdir().unwrap();
        let target = place.path().join("rows");
        fs::create_dir_all(target.join("day=1")).unwrap();
        fs::write(place.path().join("outside"), "precious").unwrap();
        fs::write(target.join("part-00000.csv"), "precious").unwrap();
        let names =
            ["part-00000-TAG.csv", "day=1/part-00001-TAG.csv", "part-00000.csv", "../outside", "late-TAG"];
        let tag = leave(&target, &names);
        fs::write(target.join(format!("part-00000-{tag}.csv")), "half").unwrap();
        fs::write(target.join(format!("day=1/part-00001-{tag}.csv")), "half").unwrap();

        Staging::make(&place.path().join("other")).unwrap().remove();
        let left: Vec<_> = fs::read_dir(&target).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["part-00000.csv"]);
        assert!(place.path().join("outside").exists() && !place.path().join(STAGE).exists());
    }

    #[test]
    fn a_folder_whose_driver_lives_and_one_without_a_lock_are_not_swept() {
        let place = tempfile::tempdir().unwrap();
        let living = Staging::make(&place.path().join("rows")).unwrap();
        let foreign = place.path().join(STAGE).join("someone-elses");
        fs::create_dir(&foreign).unwrap();
        fs::write(place.path().join(STAGE).join("notes.lock"), "").unwrap();
        Staging::make(&place.path().join("other")).unwrap().remove();
        assert!(living.parts().exists() && foreign.exists());
    }
}
