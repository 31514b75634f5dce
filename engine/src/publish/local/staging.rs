//! The staging folder of one publish: `.kiln-stage/<name>-<uuid>` beside the target.
//!
//! A lock on the file `<name>-<uuid>.lock` is held for as long as the driver lives, and the system
//! drops it however the driver ends. So a staging folder whose lock is free belongs to nobody: the
//! next publish in the same parent finishes the commit that was under way in it, and removes it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::locked::LockedHead;
use super::{cannot, recover};
use crate::error::{Error, Result};
use crate::lock;
use crate::publish::{STAGE, TAG_CHARS};

/// What the names of locks end in.
const LOCK: &str = ".lock";
/// The length of a UUID and the dash before it.
const ID_CHARS: usize = 37;
/// The tree of the output, in a staging folder.
pub const READY: &str = "ready";

/// A staging folder that is not made yet.
pub struct Reserved {
    path: PathBuf,
    made: Option<PathBuf>,
}

/// A staging folder of this process.
pub struct Staging {
    path: PathBuf,
    /// The outermost folder that had to be made for the target.
    made: Option<PathBuf>,
    _lock: File,
}

impl Reserved {
    /// Makes the folder and takes its lock.
    ///
    /// # Errors
    /// Auth without permission, resource when the disk is full.
    pub fn make(self) -> Result<Staging> {
        let Reserved { path, made } = self;
        let stage = path.parent().unwrap_or(&path);
        let failed = |e| cannot("stage the output in", stage, e);
        let lock = lock::again(|| {
            fs::create_dir_all(stage)?;
            lock::hold_new(&lock_of(&path))
        });
        let staging = Staging { _lock: lock.map_err(failed)?, path: path.clone(), made };
        fs::create_dir_all(staging.parts()).map_err(failed)?;
        Ok(staging)
    }
}

impl Staging {
    /// The staging folder that the publish `id` will have for `target`.
    ///
    /// # Errors
    /// Config for the root folder.
    pub fn reserve(target: &Path, id: &str) -> Result<Reserved> {
        let (Some(parent), Some(name)) = (target.parent(), target.file_name()) else {
            return Err(Error::config("an output cannot be the root folder").at("output", target.display()));
        };
        let path = parent.join(STAGE).join(format!("{}-{id}", name.to_string_lossy()));
        Ok(Reserved { path, made: first_missing(parent) })
    }

    /// Its name in the folder of all staging folders.
    pub fn name(&self) -> &str {
        self.path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
    }

    /// Where tasks write.
    pub fn parts(&self) -> PathBuf {
        self.path.join("parts")
    }

    /// Where the commit makes the tree of the output.
    pub fn ready(&self) -> PathBuf {
        self.path.join(READY)
    }

    /// Whether `folder` got a folder that had to be made for the target.
    pub fn has_made_in(&self, folder: &Path) -> bool {
        self.made.as_ref().and_then(|made| made.parent()).is_some_and(|outer| folder.starts_with(outer))
    }

    /// What distinguishes the files of this publish from those of others.
    pub fn tag(&self) -> &str {
        split_id(&self.path).map_or("", |(_, tag)| tag)
    }

    /// Removes the folder, and the one around it when it is empty.
    pub fn remove(&self) {
        remove(&self.path);
        // `remove_dir` takes an empty folder only: another job's staging stays.
        let _ = self.path.parent().map(fs::remove_dir);
    }
}

impl Staging {
    /// Removes the folders that were made for the target, as far as nothing is in them.
    pub fn remove_made_folders(&self) {
        let Some(made) = &self.made else { return };
        let beside = self.path.ancestors().skip(2).take_while(|folder| folder.starts_with(made));
        // `remove_dir` takes empty folders only.
        let _ = beside.into_iter().try_for_each(fs::remove_dir);
    }
}

/// Whether the driver of the publish `id` to `target` lives: it holds its lock as long as it does.
pub fn is_alive(target: &Path, id: &str) -> bool {
    let folder = Staging::reserve(target, id).map(|reserved| reserved.path);
    folder.is_ok_and(|folder| {
        let lock = lock_of(&folder);
        lock.exists() && lock::take_abandoned(&lock).is_none()
    })
}

/// The staging folders below `parent` whose drivers have ended without removing them.
pub fn abandoned(parent: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(parent.join(STAGE)) else { return Vec::new() };
    let locks = entries.flatten().map(|entry| entry.path());
    let locks = locks.filter(|path| path.to_string_lossy().ends_with(LOCK));
    let abandoned = locks.filter(|lock| lock::take_abandoned(lock).is_some());
    abandoned.map(|lock| lock.with_extension("")).filter(|folder| split_id(folder).is_some()).collect()
}

/// Removes the staging folders beside `target` whose drivers have ended without removing them. `locked` is the head
/// of `target`, and its lock the one of all heads in the folder.
pub fn sweep(target: &Path, locked: &LockedHead) -> Result<()> {
    let parent = target.parent().unwrap_or(target);
    let Ok(entries) = fs::read_dir(parent.join(STAGE)) else { return Ok(()) };
    for path in entries.flatten().map(|entry| entry.path()) {
        let folder = path.with_extension("");
        let Some((name, _)) = split_id(&folder).filter(|_| path.to_string_lossy().ends_with(LOCK)) else {
            continue;
        };
        if let Some(_held) = lock::take_abandoned(&path) {
            log::info!("removing what a killed job has staged: {}", folder.display());
            let other = parent.join(name);
            if other != target {
                recover(&mut locked.of(&other)?, &other)?;
            }
            remove(&folder);
        }
    }
    // It takes an empty folder only.
    let _ = fs::remove_dir(parent.join(STAGE));
    Ok(())
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
    use super::*;
    use crate::job::{Progress, Run};

    fn make(target: &Path) -> Staging {
        Staging::reserve(target, &uuid::Uuid::new_v4().to_string()).unwrap().make().unwrap()
    }

    fn sweep_beside(target: &Path) {
        let run = Run::new("r", Progress::silent());
        let locked = LockedHead::take(target, &run).unwrap();
        sweep(target, &locked).unwrap();
    }

    #[test]
    fn the_folder_of_a_driver_that_ended_is_swept_and_nothing_else_is() {
        let place = tempfile::tempdir().unwrap();
        let living = make(&place.path().join("rows"));
        drop(make(&place.path().join("ended")));
        let foreign = place.path().join(STAGE).join("someone-elses");
        fs::create_dir(&foreign).unwrap();
        fs::write(place.path().join(STAGE).join("notes.lock"), "").unwrap();
        sweep_beside(&place.path().join("other"));
        assert!(living.parts().exists() && foreign.exists());
        assert_eq!(place.path().join(STAGE).read_dir().unwrap().count(), 4);
    }
}
