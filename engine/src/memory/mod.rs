//! What the tasks of a process may hold in memory, and the files to which the rest spills.
//!
//! One number bounds a process (`KILN_MEMORY`). Half of it is for the outputs of finished tasks, which
//! wait for their readers; the other half is shared out evenly to the task slots, so that what one
//! task may hold never depends on what its neighbour does. Reservations are DataFusion's, files are its disk
//! manager's, in a folder that goes when the run ends (`folder`). What is spilled, and when, is the
//! business of the operators and of the exchange.

mod allocator;
mod folder;
mod level;
mod limit;
mod open_files;
mod spill;

pub use allocator::keep_freed_memory;
pub use folder::sweep;
pub use level::Level;
pub use limit::{default_bytes, parse_bytes};
pub use open_files::raise_open_files;
pub use spill::{SpillFile, Spilled};

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use datafusion_execution::disk_manager::{DiskManager, DiskManagerBuilder, DiskManagerMode};
use datafusion_execution::memory_pool::{GreedyMemoryPool, MemoryConsumer, MemoryPool, MemoryReservation};

use crate::error::{Error, Result};
use folder::TempFolder;
use spill::Purpose;

/// A task may always hold so much, however small the limit and however many the slots.
const MIN_TASK_BYTES: usize = 1 << 20;
/// The part of a task's share that its unfinished batches may take.
const BATCH_SHARE: usize = 4;
/// Bytes in temporary files at most: as much as the disk takes.
const MAX_DISK_BYTES: u64 = u64::MAX;

/// The memory of one process's tasks.
pub struct Memory {
    exchange: Arc<dyn MemoryPool>,
    task_bytes: usize,
    /// Where the folder of this process's temporary files is made.
    tmp: PathBuf,
    disk: Mutex<Disk>,
}

/// The temporary files of one process.
enum Disk {
    /// There was none yet.
    Unused,
    /// Where they are.
    Used { manager: Arc<DiskManager>, _folder: TempFolder },
    /// They are gone, and a task that has not noticed yet gets no more.
    Cleared,
}

impl Memory {
    /// `bytes` for `slots` tasks at once and their outputs, and temporary files below `tmp`.
    pub fn new(bytes: u64, slots: usize, tmp: &Path) -> Arc<Memory> {
        let half = usize::try_from(bytes / 2).unwrap_or(usize::MAX);
        Arc::new(Memory {
            exchange: Arc::new(GreedyMemoryPool::new(half)),
            task_bytes: (half / slots.max(1)).max(MIN_TASK_BYTES),
            tmp: tmp.to_owned(),
            disk: Mutex::new(Disk::Unused),
        })
    }

    /// Room for an output that waits for its readers.
    pub fn for_output(&self) -> MemoryReservation {
        MemoryConsumer::new("output").with_can_spill(true).register(&self.exchange)
    }

    /// The share of one task, less what its unfinished batches may take.
    pub fn for_task(&self) -> Arc<dyn MemoryPool> {
        Arc::new(GreedyMemoryPool::new(self.task_bytes - self.batch_bytes()))
    }

    /// Bytes in the share of one task.
    pub fn task_bytes(&self) -> usize {
        self.task_bytes
    }

    /// Bytes that the unfinished batches of one task may take.
    pub fn batch_bytes(&self) -> usize {
        self.task_bytes / BATCH_SHARE
    }

    /// A new temporary file; `what` says for whom, in errors.
    ///
    /// # Errors
    /// Resource when the disk is full, cancelled when the process ends; else by the failing operation.
    pub fn spill_file(&self, what: &str) -> Result<SpillFile> {
        let mut disk = self.disk.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*disk, Disk::Unused) {
            *disk = Disk::make(&self.tmp).map_err(|e| spill::advise(e, &self.tmp))?;
        }
        match &*disk {
            // Made under the lock: a file that came while the folder is removed would stay.
            Disk::Used { manager, .. } => {
                SpillFile::new(manager, Purpose { what: what.to_owned(), tmp: self.tmp.clone() })
            }
            Disk::Unused | Disk::Cleared => Err(Error::job_stopped()),
        }
    }

    /// Removes all temporary files, for good. Whoever comes second finds them gone: they go while the lock
    /// is held.
    pub fn clear(&self) {
        *self.disk.lock().unwrap_or_else(PoisonError::into_inner) = Disk::Cleared;
    }
}

impl Disk {
    fn make(tmp: &Path) -> Result<Disk> {
        let folder = TempFolder::make(tmp)?;
        let mode = DiskManagerMode::Directories(vec![folder.path().to_owned()]);
        let builder =
            DiskManagerBuilder::default().with_mode(mode).with_max_temp_directory_size(MAX_DISK_BYTES);
        Ok(Disk::Used { manager: Arc::new(builder.build()?), _folder: folder })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Class;

    #[test]
    fn a_task_that_outlives_the_end_of_its_process_makes_no_file_that_stays() {
        let tmp = tempfile::tempdir().unwrap();
        let memory = Memory::new(1 << 30, 1, tmp.path());
        let _file = memory.spill_file("a test").unwrap();
        memory.clear();
        assert_eq!(memory.spill_file("a test").err().map(|e| e.class()), Some(Class::Cancelled));
        assert_eq!(tmp.path().read_dir().unwrap().count(), 0);
    }

    #[test]
    fn whoever_clears_waits_for_files_that_another_thread_is_removing() {
        let tmp = tempfile::tempdir().unwrap();
        for _ in 0..20 {
            let memory = Memory::new(1 << 30, 1, tmp.path());
            let _files: Vec<_> = (0..500).map(|_| memory.spill_file("a test").unwrap()).collect();
            let other = Arc::clone(&memory);
            let removing = std::thread::spawn(move || other.clear());
            std::thread::yield_now();
            memory.clear();
            assert_eq!(tmp.path().read_dir().unwrap().count(), 0);
            removing.join().unwrap();
        }
    }
}
