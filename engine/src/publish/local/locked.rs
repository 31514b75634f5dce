//! The head of an output on disk, `_kiln/heads/<name>.json` beside it, read and written under a lock.
//!
//! The lock is an `flock` on the folder `_kiln`, which the system drops when its holder ends, however it ends. Publishes
//! in one parent folder take turns; they hold the lock to claim and to commit, not while they work. A commit that
//! was killed is finished by the next holder of the lock, before anything else (`pending`).

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};

use super::pending::Pending;
use super::{cannot, sync};
use crate::error::{Error, Result};
use crate::job::{Cancel, Run};
use crate::publish::{BOOKS, head};

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
        let folder = target.parent().unwrap_or(target).join(BOOKS);
        let heads = folder.join("heads");
        fs::create_dir_all(&heads).map_err(|e| cannot("make the folder", &heads, e))?;
        let lock = File::open(&folder).map_err(|e| cannot("open the folder", &folder, e))?;
        wait_for(&lock, &folder, run.options().wait_limit, &run.cancel)?;
        LockedHead::read(target, Arc::new(lock))
    }

    /// The head of another output in the same folder, under the same lock.
    ///
    /// # Errors
    /// Data for a head that cannot be read.
    pub fn of(&self, target: &Path) -> Result<LockedHead> {
        LockedHead::read(target, Arc::clone(&self.lock))
    }

    fn read(target: &Path, lock: Arc<File>) -> Result<LockedHead> {
        let heads = target.parent().unwrap_or(target).join(BOOKS).join("heads");
        let path = heads.join(format!("{}.json", target.file_name().unwrap_or_default().to_string_lossy()));
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

fn wait_for(lock: &File, folder: &Path, limit: Duration, cancel: &Cancel) -> Result<()> {
    let (begun, mut is_announced) = (Instant::now(), false);
    loop {
        match flock(lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(()),
            Err(rustix::io::Errno::WOULDBLOCK) => {}
            Err(e) => return Err(cannot("lock", folder, e.into())),
        }
        if cancel.is_requested() {
            return Err(Error::job_stopped());
        }
        if begun.elapsed() > limit {
            let error = Error::transient("another job commits in the same folder and does not end");
            return Err(error
                .reason("commit_in_progress")
                .at("folder", folder.display())
                .help("run this job again; KILN_WAIT_LIMIT sets how long it waits"));
        }
        if begun.elapsed() > SILENCE && !std::mem::replace(&mut is_announced, true) {
            log::warn!("waiting for another job's commit in {}", folder.display());
        }
        std::thread::sleep(LOOK);
    }
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
             under way is then no longer fenced",
        )
    })
}
