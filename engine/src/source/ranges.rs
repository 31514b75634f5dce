//! Reads byte ranges of a file in any order, for formats that say where what lies.
//!
//! A piece enters, bytes leave; a range that does not lie in the file is refused before anything is
//! allocated for it, because ranges come out of the file itself. Local files are read in place. A store
//! is asked for whole blocks, and the latest are kept, as a decoder reads a header here and its data
//! right behind it. What the bytes mean is not known here.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use object_store::ObjectStoreExt;
use object_store::path::Path;

use super::location::Location;
use super::split::Piece;
use super::store::Store;
use crate::error::{Error, Result};

/// How much one request to a store asks for.
const BLOCK_BYTES: u64 = 1 << 20;
/// Blocks that are kept: one per column of a wide table.
const MAX_BLOCKS: usize = 32;

/// A file whose bytes can be read anywhere; clones share it.
#[derive(Clone)]
pub(super) struct RangedFile(Arc<Inner>);

struct Inner {
    origin: Origin,
    size: u64,
    bytes_read: AtomicU64,
}

enum Origin {
    File(File),
    Object { store: Store, path: Path, blocks: Mutex<VecDeque<(u64, Bytes)>> },
}

impl RangedFile {
    /// Opens the file of `piece`.
    ///
    /// # Errors
    /// By the failing operation.
    pub(super) fn open(piece: &Piece) -> Result<RangedFile> {
        let Location { store, path, .. } = Location::exact(&piece.address)?;
        let origin = if store.is_local() {
            let file = File::open(store.address(&path));
            Origin::File(file.map_err(|e| Error::io("cannot open the file", e).at("file", &piece.address))?)
        } else {
            Origin::Object { store, path, blocks: Mutex::default() }
        };
        Ok(RangedFile(Arc::new(Inner { origin, size: piece.size, bytes_read: AtomicU64::new(0) })))
    }

    /// Bytes in the file when it was listed.
    pub(super) fn size(&self) -> u64 {
        self.0.size
    }

    /// How many bytes have been read so far.
    pub(super) fn bytes_read(&self) -> u64 {
        self.0.bytes_read.load(Ordering::Relaxed)
    }

    /// The `count` bytes from `start` on.
    ///
    /// # Errors
    /// Of class data when they do not lie in the file; else by the failing operation.
    pub(super) fn bytes(&self, start: u64, count: usize) -> Result<Bytes> {
        if start.checked_add(count as u64).is_none_or(|end| end > self.size()) {
            return Err(Error::data("the file points outside of itself").at("byte", start));
        }
        let mut bytes = vec![0; count];
        self.reader(start).read_exact(&mut bytes).map_err(|e| match e.downcast::<Error>() {
            Ok(ours) => ours,
            Err(e) => Error::io("cannot read the file", e).at("byte", start),
        })?;
        Ok(Bytes::from(bytes))
    }

    /// Reads from `start` on.
    pub(super) fn reader(&self, start: u64) -> RangeReader {
        RangeReader { file: self.clone(), at: start }
    }

    fn read_at(&self, into: &mut [u8], at: u64) -> Result<usize> {
        let left = usize::try_from(self.size().saturating_sub(at)).unwrap_or(usize::MAX);
        let wanted = into.len().min(left);
        if wanted == 0 {
            return Ok(0);
        }
        let into = &mut into[..wanted];
        let count = match &self.0.origin {
            Origin::File(file) => {
                let count = file.read_at(into, at).map_err(|e| Error::io("cannot read the file", e))?;
                self.count(count);
                count
            }
            Origin::Object { store, path, blocks } => {
                let block = self.block(store, path, blocks, at / BLOCK_BYTES)?;
                let from = block.slice(((at % BLOCK_BYTES) as usize).min(block.len())..);
                let count = wanted.min(from.len());
                into[..count].copy_from_slice(&from[..count]);
                count
            }
        };
        if count == 0 {
            let text = format!("the file ends early: it had {} bytes when the job was planned", self.size());
            return Err(Error::data(text).at("byte", at));
        }
        Ok(count)
    }

    fn block(
        &self,
        store: &Store,
        path: &Path,
        blocks: &Mutex<VecDeque<(u64, Bytes)>>,
        index: u64,
    ) -> Result<Bytes> {
        let mut blocks = blocks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, block)) = blocks.iter().find(|(known, _)| *known == index) {
            return Ok(block.clone());
        }
        let start = index * BLOCK_BYTES;
        let block = store
            .wait(store.objects().get_range(path, start..self.size().min(start + BLOCK_BYTES)))
            .map_err(Error::from)?;
        self.count(block.len());
        if blocks.len() == MAX_BLOCKS {
            blocks.pop_front();
        }
        blocks.push_back((index, block.clone()));
        Ok(block)
    }

    fn count(&self, bytes: usize) {
        self.0.bytes_read.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// Reads a file from some byte on; errors travel as [`Error`] inside the `io::Error`.
pub(super) struct RangeReader {
    file: RangedFile,
    at: u64,
}

impl Read for RangeReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(into, self.at).map_err(io::Error::other)?;
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for RangeReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.file.size().checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}
