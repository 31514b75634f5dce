//! Reads the bytes of a file in order, from any offset, locally or from a store.
//!
//! A piece enters, bytes leave through `std::io::Read`, so that decoders can sit on top. A reader
//! stops once at the end of its piece and then goes on in small steps, because only the rest of one
//! line is wanted from there. It never reads past the size that was planned: a file that grows meanwhile
//! gives the same rows to every task, one that shrinks is an error. It knows no lines and no codec.
//!
//! Errors travel as [`Error`] inside the `io::Error`, so that class and place survive the decoders.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::FileExt;

use bytes::{Buf, Bytes};
use object_store::ObjectStoreExt;
use object_store::path::Path;

use super::location::Location;
use super::split::Piece;
use super::store::Store;
use crate::error::{Error, Result};

/// How much one request to a remote store asks for.
const REQUEST_BYTES: u64 = 8 << 20;

/// How much is read at first past the end of a piece, to finish its last line.
const TAIL_BYTES: u64 = 64 << 10;

/// Reads a file from `offset` on.
pub(super) struct Reader {
    origin: Origin,
    /// The next byte to read.
    offset: u64,
    first: u64,
    end: u64,
    size: u64,
}

enum Origin {
    File(File),
    Object { store: Store, path: Path, received: Bytes },
}

impl Reader {
    /// Opens the file of `piece` to read from byte `first`.
    pub(super) fn open(piece: &Piece, first: u64) -> Result<Reader> {
        let Location { store, path, .. } = Location::exact(&piece.address)?;
        let origin = if store.is_local() {
            let file = File::open(store.address(&path));
            Origin::File(file.map_err(|e| Error::io("cannot open the file", e).at("file", &piece.address))?)
        } else {
            Origin::Object { store, path, received: Bytes::new() }
        };
        Ok(Reader { origin, offset: first, first, end: piece.end, size: piece.size })
    }

    /// Bytes in the file when it was listed.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// How many bytes have been taken from the file so far.
    pub(super) fn bytes_read(&self) -> u64 {
        self.offset - self.first
    }

    /// How many bytes may be read next without a stop.
    fn ahead(&self) -> u64 {
        if self.offset < self.end {
            return self.end - self.offset;
        }
        // Growing steps keep the search for the end of a very long line linear.
        TAIL_BYTES.max(self.offset - self.end).min(self.size - self.offset)
    }

    fn failed(&self, error: Error) -> io::Error {
        io::Error::other(error.at("byte", self.offset))
    }

    fn shrunk(&self) -> io::Error {
        let message = format!("the file ends early: it had {} bytes when the job was planned", self.size);
        self.failed(Error::data(message).help("run the job again when nothing writes to its input"))
    }
}

impl Read for Reader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let ahead = self.ahead();
        let wanted = into.len().min(usize::try_from(ahead).unwrap_or(usize::MAX));
        if wanted == 0 {
            return Ok(0);
        }
        let count = match &mut self.origin {
            Origin::File(file) => read_at(file, &mut into[..wanted], self.offset),
            Origin::Object { store, path, received } => {
                let request = self.offset..self.offset + ahead.min(REQUEST_BYTES);
                receive(store, path, received, request).map(|()| {
                    let count = wanted.min(received.len());
                    received.copy_to_slice(&mut into[..count]);
                    count
                })
            }
        };
        match count.map_err(|e| self.failed(e))? {
            0 => Err(self.shrunk()),
            count => {
                self.offset += count as u64;
                Ok(count)
            }
        }
    }
}

fn read_at(file: &File, into: &mut [u8], offset: u64) -> Result<usize> {
    loop {
        match file.read_at(into, offset) {
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            other => return other.map_err(|e| Error::io("cannot read the file", e)),
        }
    }
}

/// Gets the bytes of `range`, unless some that were got before are left.
fn receive(store: &Store, path: &Path, received: &mut Bytes, range: std::ops::Range<u64>) -> Result<()> {
    if received.is_empty() {
        *received = store.wait(store.objects().get_range(path, range))?;
    }
    Ok(())
}
