//! The head of an output on disk, `_kiln/heads/<name>.json` beside it, read and written under a lock.
//!
//! The lock is an `flock` on the folder `_kiln`, which the system drops when its holder ends, however it ends. Publishes
//! in one parent folder take turns; they hold the lock to claim and to commit, not while they work. A commit that
//! was killed is finished by the next holder of the lock, before anything else (`pending`).

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};

use super::pending::Pending;
use super::{cannot, sync};
use crate::error::{Error, Result};
use crate::job::Run;
use crate::publish::{BOOKS, head};

/// The folder of all heads, in the folder that is locked.
const HEADS: &str = "heads";
/// How often a holder of the lock is looked after.
const LOOK: Duration = Duration::from_millis(5);
/// After this time one line in the log tells what is waited for.
const SILENCE: Duration = Duration::from_secs(1);

/// The head of an output on disk.
pub type Head = head::Head<Option<Pending>>;

/// A head, and the lock under which it may be changed.
pub struct LockedHead {
    /// The head as it was read.
    pub head: Head,
    path: PathBuf,
    /// The lock is the folder's, so it is that of all heads in it.
    lock: Arc<File>,
}

impl LockedHead {
    /// Waits for the lock and reads the head of the output `target`.
    ///
    /// # Errors
    /// Cancelled when the job is to stop, transient after the run's `wait_limit`, data for a head that cannot be read.
    pub fn take(target: &Path, run: &Run) -> Result<LockedHead> {
        let (begun, mut is_announced) = (Instant::now(), false);
        loop {
            if let Some(locked) = LockedHead::try_take(target)? {
                return Ok(locked);
            }
            if run.cancel.is_requested() {
                return Err(Error::job_stopped());
            }
            if begun.elapsed() > run.options().wait_limit {
                return Err(in_progress(target));
            }
            if begun.elapsed() > SILENCE && !std::mem::replace(&mut is_announced, true) {
                log::warn!("waiting for another job's commit beside {}", target.display());
            }
            std::thread::sleep(LOOK);
        }
    }

    /// The head of the output `target`, unless another process has the lock.
    ///
    /// # Errors
    /// By the failing operation; data for a head that cannot be read.
    pub fn try_take(target: &Path) -> Result<Option<LockedHead>> {
        let folder = target.parent().unwrap_or(target).join(BOOKS);
        fs::create_dir_all(folder.join(HEADS)).map_err(|e| cannot("make the folder", &folder, e))?;
        let lock = match File::open(&folder) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(|e| cannot("open the folder", &folder, e))?,
        };
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
            Err(e) => return Err(cannot("lock", &folder, e.into())),
        }
        // The last holder may have removed the folder, and someone else may have made another one.
        let is_there = lock.metadata().and_then(|mine| Ok(fs::metadata(&folder)?.ino() == mine.ino()));
        if !is_there.unwrap_or(false) || fs::create_dir_all(folder.join(HEADS)).is_err() {
            return Ok(None);
        }
        LockedHead::read(target, Arc::new(lock)).map(Some)
    }

    /// Removes the head, and the folders around it that hold nothing else.
    pub fn remove(self) {
        let _ = fs::remove_file(&self.path);
        // It takes empty folders only.
        let mut folders = self.path.ancestors().skip(1).take(2);
        let _ = folders.try_for_each(fs::remove_dir);
    }

    /// The head of another output in the same folder, under the same lock.
    ///
    /// # Errors
    /// Data for a head that cannot be read.
    pub fn of(&self, target: &Path) -> Result<LockedHead> {
        LockedHead::read(target, Arc::clone(&self.lock))
    }

    fn read(target: &Path, lock: Arc<File>) -> Result<LockedHead> {
        let path = path_of(target);
        Ok(LockedHead { head: read(&path)?, path, lock })
    }

    /// Writes the head. A `durable` one is there after the power fails.
    ///
    /// # Errors
    /// By the failing operation; the head that was there stays then.
    pub fn save(&self, durable: bool) -> Result<()> {
        // Only the holder of the lock writes, so that one name for the temporary file is enough.
        let temporary = self.path.with_extension("json.tmp");
        let text =
            serde_json::to_vec(&self.head).map_err(|e| Error::bug("JSON cannot be written").because(e))?;
        let written = File::create(&temporary).and_then(|mut file| {
            file.write_all(&text)?;
            if durable { file.sync_all() } else { Ok(()) }
        });
        let replaced = written.and_then(|()| fs::rename(&temporary, &self.path));
        replaced.map_err(|e| cannot("write", &self.path, e))?;
        if durable {
            self.path.ancestors().skip(1).take(3).try_for_each(sync)?;
        }
        Ok(())
    }
}

/// The head of the output `target` as it is now, for whoever changes nothing.
///
/// # Errors
/// Data for a head that cannot be read.
pub fn peek(target: &Path) -> Result<Head> {
    read(&path_of(target))
}

fn path_of(target: &Path) -> PathBuf {
    let heads = target.parent().unwrap_or(target).join(BOOKS).join(HEADS);
    heads.join(format!("{}.json", target.file_name().unwrap_or_default().to_string_lossy()))
}

fn in_progress(target: &Path) -> Error {
    Error::transient("another job commits in the same folder and does not end")
        .reason("commit_in_progress")
        .at("output", target.display())
        .help("run this job again; KILN_WAIT_LIMIT sets how long it waits")
}

fn read(path: &Path) -> Result<Head> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Head::default()),
        Err(e) => return Err(cannot("read", path, e)),
    };
    serde_json::from_slice(&text).map_err(|e| {
        Error::data("the record of what was published cannot be read").because(e).at("file", path.display()).help(
            "no version of Kiln wrote it, or the disk lost it; move it away to begin a new one: an attempt that is still \
             under way is then fenced if its run id was given, and not otherwise",
        )
    })
}
