//! A temporary file of Arrow batches: written sequentially, read at any position.
//!
//! Each batch is a separate Arrow IPC stream with a checksum, so that a disk that returns wrong bytes
//! causes an error and never a wrong row.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use datafusion_common::DataFusionError;
use datafusion_execution::disk_manager::DiskManager;
use twox_hash::XxHash3_64;

use crate::error::{Error, Result};
use crate::failpoint;
use crate::meter::{self, Resource};
use crate::row::ipc;

/// A file that is being written.
pub struct SpillFile {
    home: Arc<Home>,
    /// Never locked: the mutex only makes the type `Sync`.
    writer: Mutex<Box<dyn datafusion_execution::SpillWriter>>,
    bytes: u64,
}

/// The file itself; removed when its last owner is dropped.
struct Home {
    path: PathBuf,
    purpose: Purpose,
    _owner: Arc<dyn datafusion_execution::SpillFile>,
}

/// The purpose of a file and the folder in which it was created, for error messages.
#[derive(Clone)]
pub(super) struct Purpose {
    pub(super) what: String,
    pub(super) tmp: PathBuf,
}

/// The position of one batch. It keeps the file on disk.
#[derive(Clone)]
pub struct Spilled {
    home: Arc<Home>,
    offset: u64,
    length: usize,
    checksum: u64,
}

impl SpillFile {
    pub(super) fn new(disk: &Arc<DiskManager>, purpose: Purpose) -> Result<SpillFile> {
        let unmade = |e| match e {
            DataFusionError::IoError(e) => purpose.failed("made", e),
            other => Error::from(other),
        };
        let owner = disk.create_tmp_file(&purpose.what).map_err(unmade)?;
        let path = owner.path().ok_or_else(|| Error::bug("a temporary file has no path"))?.to_owned();
        let writer = Mutex::new(owner.open_writer().map_err(unmade)?);
        Ok(SpillFile { home: Arc::new(Home { path, purpose, _owner: owner }), writer, bytes: 0 })
    }

    /// Appends a batch.
    ///
    /// # Errors
    /// Resource when the disk is full.
    pub fn push(&mut self, batch: &RecordBatch) -> Result<Spilled> {
        meter::spending(Resource::Memory, || self.append(batch))
    }

    fn append(&mut self, batch: &RecordBatch) -> Result<Spilled> {
        failpoint::slow("spill");
        let block = ipc::to_bytes(batch)?;
        let writer = self.writer.get_mut().unwrap_or_else(PoisonError::into_inner);
        writer.write_all(&block).map_err(|e| self.home.purpose.failed("written", e))?;
        let offset = self.bytes;
        self.bytes += block.len() as u64;
        let checksum = XxHash3_64::oneshot(&block);
        Ok(Spilled { home: Arc::clone(&self.home), offset, length: block.len(), checksum })
    }
}

impl Spilled {
    /// Bytes on disk.
    pub fn bytes(&self) -> usize {
        self.length
    }

    /// Reads the batch back.
    ///
    /// # Errors
    /// Transient when the bytes differ from those that were written: the task is then retried.
    pub fn read(&self) -> Result<RecordBatch> {
        meter::spending(Resource::Memory, || self.read_back())
    }

    fn read_back(&self) -> Result<RecordBatch> {
        let mut block = vec![0; self.length];
        // Opened for each read: a job may have more of these files than a process may have open at once.
        let purpose = &self.home.purpose;
        let file = File::open(&self.home.path).map_err(|e| purpose.failed("opened", e))?;
        file.read_exact_at(&mut block, self.offset).map_err(|e| purpose.failed("read", e))?;
        if XxHash3_64::oneshot(&block) != self.checksum {
            return Err(Error::transient("a temporary file is damaged").at("byte", self.offset));
        }
        let batch = ipc::from_bytes(&block)?.pop();
        batch.ok_or_else(|| Error::bug("a temporary file holds no batch"))
    }
}

impl Purpose {
    fn failed(&self, how: &str, error: io::Error) -> Error {
        let error = Error::io(format!("a temporary file for {} cannot be {how}", self.what), own(error));
        advise(error, &self.tmp)
    }
}

/// Unwraps the system's error from DataFusion's: only its kind distinguishes a full disk from a transient
/// failure.
fn own(error: io::Error) -> io::Error {
    match error.downcast::<DataFusionError>() {
        Ok(DataFusionError::IoError(inner)) => inner,
        Ok(other) => io::Error::other(other),
        Err(error) => error,
    }
}

/// Adds the folder of the temporary files, and advice for a full disk.
pub(super) fn advise(error: Error, tmp: &Path) -> Error {
    error.at("folder", tmp.display()).help(
        "free some room there, name another folder by KILN_TMP, or raise KILN_MEMORY, so that less has to go there",
    )
}

#[cfg(test)]
mod tests {
    use super::super::Memory;
    use crate::error::Class;
    use crate::row::{ColumnBuilder, Row, to_batch};

    fn batch(rows: std::ops::Range<u64>) -> arrow::array::RecordBatch {
        let mut builder = <u64 as Row>::Builder::default();
        rows.for_each(|n| builder.push(n));
        to_batch::<u64>(&mut builder).unwrap()
    }

    #[test]
    fn batches_come_back_in_any_order_and_the_folder_goes() {
        let tmp = tempfile::tempdir().unwrap();
        let memory = Memory::new(1 << 30, 1, tmp.path());
        let mut file = memory.spill_file("a test").unwrap();
        let spilled: Vec<_> = (0..5).map(|i| file.push(&batch(i * 10..i * 10 + 9)).unwrap()).collect();
        for i in [3, 0, 4, 3] {
            assert_eq!(spilled[i as usize].read().unwrap(), batch(i * 10..i * 10 + 9));
        }
        drop((file, spilled, memory));
        assert_eq!(tmp.path().read_dir().unwrap().count(), 0);
    }

    #[test]
    fn a_damaged_block_is_an_error_that_may_be_tried_again() {
        let tmp = tempfile::tempdir().unwrap();
        let memory = Memory::new(1 << 30, 1, tmp.path());
        let mut file = memory.spill_file("a test").unwrap();
        let mut spilled = file.push(&batch(0..100)).unwrap();
        spilled.checksum ^= 1;
        assert_eq!(spilled.read().unwrap_err().class(), Class::Transient);
    }
}
