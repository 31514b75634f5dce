//! Reads the bytes of a file in order, from any offset, locally or from a store.
//!
//! It implements `std::io::Read`, so that decoders can use it. A reader stops once at the end of its piece
//! and then continues in small steps, because after the end only the rest of one line is needed. It never
//! reads past the planned size: a file that grows meanwhile has the same rows for every task, and one that
//! shrinks or is replaced is an error. From a store it first requests a small range, because some readers
//! need no more, and then several ranges concurrently. It knows nothing of lines or codecs.
//!
//! An [`Error`] is passed inside the `io::Error`, so that its class and position survive the decoders.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt;

use bytes::{Buf, Bytes};

use super::ahead::{Ahead, START_BYTES};
use super::location::Location;
use super::object::{Fetch, Object};
use super::split::Piece;
use super::version::{Version, shrunk};
use crate::error::{Error, Result};

/// The longest request to a store.
const REQUEST_BYTES: u64 = 8 << 20;
/// Requests in flight while the bytes before them are used. With them, a reader buffers at most 24 MiB.
const REQUESTS_AHEAD: usize = 2;
/// A reader must have used this much before it requests more than it needs next.
const AHEAD_AFTER: u64 = START_BYTES / 2;

/// The first step past the end of a piece, to finish its last line.
pub(super) const TAIL_BYTES: u64 = 64 << 10;

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
    File { file: File, version: Version },
    Object(Stream),
}

/// The bytes of an object, in order.
struct Stream {
    object: Object,
    ahead: Ahead,
    /// Bytes that were received and not read yet.
    received: Bytes,
    /// Requests for the bytes after those.
    asked: VecDeque<Fetch>,
    /// The first byte that was not requested.
    next: u64,
    /// The position up to which bytes are certainly, or almost certainly, needed.
    end: u64,
    size: u64,
}

impl Reader {
    /// Opens the file of `piece` to read from byte `first`.
    pub(super) fn open(piece: &Piece, first: u64) -> Result<Reader> {
        let Location { store, path, .. } = Location::exact(&piece.address)?;
        let origin = if store.is_local() {
            let placed = |e: Error| e.at("file", &piece.address);
            let file = File::open(store.address(&path));
            let file = file.map_err(|e| placed(Error::io("cannot open the file", e)))?;
            Origin::File { file, version: piece.version.clone() }
        } else {
            let (received, asked, ahead) = (Bytes::new(), VecDeque::new(), piece.ahead.clone());
            let (end, size) = (piece.size.min(piece.end.saturating_add(TAIL_BYTES)), piece.size);
            let object = Object::of(store, path, piece);
            Origin::Object(Stream { object, ahead, received, asked, next: first, end, size })
        };
        Ok(Reader { origin, offset: first, first, end: piece.end, size: piece.size })
    }

    /// The size of the file when it was listed.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// The number of bytes read so far.
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
}

impl Read for Reader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let ahead = self.ahead();
        let wanted = into.len().min(usize::try_from(ahead).unwrap_or(usize::MAX));
        if wanted == 0 {
            return Ok(0);
        }
        let (offset, size) = (self.offset, self.size);
        let count = match &mut self.origin {
            Origin::File { file, version } => read_at(file, &mut into[..wanted], offset)
                .and_then(|count| version.check_file(file, size).map(|()| count)),
            Origin::Object(stream) => {
                stream.receive(offset, offset - self.first >= AHEAD_AFTER, ahead).map(|()| {
                    let count = wanted.min(stream.received.len());
                    stream.received.copy_to_slice(&mut into[..count]);
                    count
                })
            }
        };
        match count.map_err(|e| self.failed(e))? {
            0 => Err(self.failed(shrunk(self.size))),
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

impl Stream {
    /// Makes bytes from `offset` on available, unless some are left; `count` bytes may be read without a
    /// stop. If the reader `goes_on`, more are requested in advance.
    fn receive(&mut self, offset: u64, goes_on: bool, count: u64) -> Result<()> {
        if goes_on {
            self.ask_ahead();
        }
        if !self.received.is_empty() {
            return Ok(());
        }
        if let Some(fetch) = self.asked.pop_front() {
            self.received = fetch.wait()?;
            return Ok(());
        }
        self.received = match self.ahead.bytes_from(offset) {
            Some(bytes) => bytes?,
            None => {
                // Past the end of the piece, the steps are those of the search for the end of the last line.
                let most = if offset < self.end { (self.end - offset).min(START_BYTES) } else { count };
                let range = offset..self.size.min(offset + most.min(REQUEST_BYTES));
                self.object.fetch(range).wait()?
            }
        };
        self.next = offset + self.received.len() as u64;
        Ok(())
    }

    fn ask_ahead(&mut self) {
        while self.asked.len() < REQUESTS_AHEAD && self.next < self.end {
            let range = first_part(self.next..self.end);
            self.next = range.end;
            self.asked.push_back(self.object.fetch(range));
        }
    }
}

/// The first of the fewest possible requests of even size.
fn first_part(range: Range<u64>) -> Range<u64> {
    let length = range.end - range.start;
    range.start..range.start + length.div_ceil(length.div_ceil(REQUEST_BYTES))
}
