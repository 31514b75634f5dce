//! Random access to the byte ranges of a file, for formats with a table of contents.
//!
//! Ranges come from the file itself, so one that is not within the file is refused before memory is allocated
//! for it. Local files are read in place, objects in the parts that the format has planned (`parts`). What
//! the bytes mean is not known here.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use super::location::Location;
use super::object::Object;
use super::parts::Parts;
use super::split::Piece;
use super::version::{Version, shrunk};
use crate::error::{Error, Result};

/// A file that can be read at any position; clones share it.
#[derive(Clone)]
pub(super) struct RangedFile(Arc<Inner>);

struct Inner {
    origin: Origin,
    size: u64,
    bytes_read: AtomicU64,
    failure: Mutex<Option<Error>>,
}

enum Origin {
    File { file: File, version: Version },
    Object(Parts),
}

impl RangedFile {
    /// Opens the file of `piece`.
    ///
    /// # Errors
    /// By the operation that failed.
    pub(super) fn open(piece: &Piece) -> Result<RangedFile> {
        let Location { store, path, .. } = Location::exact(&piece.address)?;
        let origin = if store.is_local() {
            let file = File::open(store.address(&path)).map_err(|e| Error::io("cannot open the file", e));
            let file = file.map_err(|e| e.at("file", &piece.address))?;
            Origin::File { file, version: piece.version.clone() }
        } else {
            Origin::Object(Parts::new(Object::of(store, path, piece), piece.size, &piece.ahead))
        };
        Ok(RangedFile(Arc::new(Inner {
            origin,
            size: piece.size,
            bytes_read: AtomicU64::new(0),
            failure: Mutex::default(),
        })))
    }

    /// The size of the file when it was listed.
    pub(super) fn size(&self) -> u64 {
        self.0.size
    }

    /// The number of bytes read so far.
    pub(super) fn bytes_read(&self) -> u64 {
        self.0.bytes_read.load(Ordering::Relaxed)
    }

    /// The `count` bytes from `start` on.
    ///
    /// # Errors
    /// Of class data when they are not within the file, otherwise by the operation that failed.
    pub(super) fn bytes(&self, start: u64, count: usize) -> Result<Bytes> {
        if start.checked_add(count as u64).is_none_or(|end| end > self.size()) {
            return Err(Error::data("the file points outside of itself").at("byte", start));
        }
        if let Origin::Object(parts) = &self.0.origin
            && count > 0
        {
            let whole = self.part(parts, start, count)?;
            if whole.len() >= count {
                return Ok(whole.slice(..count));
            }
        }
        let mut bytes = vec![0; count];
        self.reader(start).read_exact(&mut bytes).map_err(|e| match e.downcast::<Error>() {
            Ok(ours) => ours,
            Err(e) => Error::io("cannot read the file", e).at("byte", start),
        })?;
        Ok(Bytes::from(bytes))
    }

    /// A reader that starts at `start`.
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
            Origin::File { file, version } => {
                let read = file.read_at(into, at).map_err(|e| Error::io("cannot read the file", e));
                let checked = read.and_then(|count| version.check_file(file, self.size()).map(|()| count));
                let count = checked.map_err(|e| self.failed(e))?;
                self.count(count as u64);
                count
            }
            Origin::Object(parts) => {
                let from = self.part(parts, at, wanted)?;
                let count = wanted.min(from.len());
                into[..count].copy_from_slice(&from[..count]);
                count
            }
        };
        if count == 0 {
            return Err(self.failed(shrunk(self.size()).at("byte", at)));
        }
        Ok(count)
    }

    fn part(&self, parts: &Parts, at: u64, count: usize) -> Result<Bytes> {
        parts.bytes(at, count as u64, |received| self.count(received)).map_err(|e| self.failed(e))
    }

    /// Keeps the original error, because some decoders reduce it to text.
    fn failed(&self, error: Error) -> Error {
        self.0.failure.lock().unwrap_or_else(PoisonError::into_inner).insert(error).clone()
    }

    /// The error of a failed read, for when a decoder reports a different one.
    pub(super) fn failure(&self) -> Option<Error> {
        self.0.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Plans to read the chunks of each group: one group after the other, and the chunks of a group
    /// concurrently, with at most `max_bytes` in memory.
    pub(super) fn plan(&self, groups: Vec<Vec<Range<u64>>>, max_bytes: u64) {
        if let Origin::Object(parts) = &self.0.origin {
            parts.plan(groups, max_bytes);
        }
    }

    /// The position up to which reading from `at` causes no unplanned request.
    pub(super) fn planned_end(&self, at: u64) -> u64 {
        match &self.0.origin {
            Origin::File { .. } => self.size(),
            Origin::Object(parts) => parts.chunk_end(at),
        }
    }

    fn count(&self, bytes: u64) {
        self.0.bytes_read.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// Reads a file from a position on; an [`Error`] is passed inside the `io::Error`.
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
