//! The memory of a process's tasks, and the files to which they spill.
//!
//! One number limits a process (`KILN_MEMORY`). Half of it is for the outputs of tasks, which wait for their
//! readers. The other half is divided evenly among the task slots, so the memory of one task never depends on
//! what the others use. Memory is reserved in DataFusion's memory pools; files are created by its disk
//! manager, in a folder that is removed when the run ends (`folder`). Operators and exchanges decide what is
//! spilled, and when.

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

/// The least memory of a task, however small the limit and however many slots there are.
const MIN_TASK_BYTES: usize = 1 << 20;
/// The fraction of a task's memory that its unfinished batches may use.
const BATCH_SHARE: usize = 4;
/// The most bytes in temporary files: as much as fits on the disk.
const MAX_DISK_BYTES: u64 = u64::MAX;

/// The memory of one process's tasks.
pub struct Memory {
    exchange: Arc<dyn MemoryPool>,
    task_bytes: usize,
    /// Where the folder for this process's temporary files is created.
    tmp: PathBuf,
    disk: Mutex<Disk>,
}

/// The temporary files of one process.
enum Disk {
    /// None was created yet.
    Unused,
    /// The disk manager, and the folder that contains the files.
    Used { manager: Arc<DiskManager>, _folder: TempFolder },
    /// The files are removed; a task that is still running cannot create more.
    Cleared,
}

impl Memory {
    /// `bytes` for the outputs and for `slots` concurrent tasks, with temporary files below `tmp`.
    pub fn new(bytes: u64, slots: usize, tmp: &Path) -> Arc<Memory> {
        let half = usize::try_from(bytes / 2).unwrap_or(usize::MAX);
        Arc::new(Memory {
            exchange: Arc::new(GreedyMemoryPool::new(half)),
            task_bytes: (half / slots.max(1)).max(MIN_TASK_BYTES),
            tmp: tmp.to_owned(),
            disk: Mutex::new(Disk::Unused),
        })
    }

    /// A memory reservation for an output that waits for its readers.
    pub fn for_output(&self) -> MemoryReservation {
        MemoryConsumer::new("output").with_can_spill(true).register(&self.exchange)
    }

    /// The memory pool of one task, without the part for its unfinished batches.
    pub fn for_task(&self) -> Arc<dyn MemoryPool> {
        Arc::new(GreedyMemoryPool::new(self.task_bytes - self.batch_bytes()))
    }

    /// The memory of one task, in bytes.
    pub fn task_bytes(&self) -> usize {
        self.task_bytes
    }

    /// The memory for the unfinished batches of one task, in bytes.
    pub fn batch_bytes(&self) -> usize {
        self.task_bytes / BATCH_SHARE
    }

    /// Creates a temporary file; errors name its purpose, `what`.
    ///
    /// # Errors
    /// Resource when the disk is full, cancelled when the process is ending, otherwise by the operation that
    /// failed.
    pub fn spill_file(&self, what: &str) -> Result<SpillFile> {
        let mut disk = self.disk.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*disk, Disk::Unused) {
            *disk = Disk::make(&self.tmp).map_err(|e| spill::advise(e, &self.tmp))?;
        }
        match &*disk {
            // Created under the lock: a file created while the folder is being removed would stay.
            Disk::Used { manager, .. } => {
                SpillFile::new(manager, Purpose { what: what.to_owned(), tmp: self.tmp.clone() })
            }
            Disk::Unused | Disk::Cleared => Err(Error::job_stopped()),
        }
    }

    /// Removes all temporary files for good. The lock is held during the removal, so a concurrent second call
    /// returns only when the files are gone.
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
