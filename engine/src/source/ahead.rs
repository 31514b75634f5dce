//! Read-ahead: requests the beginnings of a task's files in advance, so that the task does not wait for each
//! one.
//!
//! [`read_ahead`] returns a task's pieces in order, those in a remote store with a request in flight
//! ([`Ahead`]): for all of a small file, otherwise for the part that its format reads first. Readers take
//! their first bytes from it, and so does code that reads the same beginning twice, such as the header of a
//! CSV file and its records.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use bytes::Bytes;

use super::listing::InputFile;
use super::location::Location;
use super::object::{Fetch, Object};
use super::reader::TAIL_BYTES;
use super::split::Piece;
use crate::error::Result;

/// The most files that are requested ahead.
const MAX_FILES: usize = 32;
/// The most bytes that are requested ahead.
const MAX_BYTES: u64 = 8 << 20;
/// A file of at most this size is read in one request. Of a larger file, this much of the start is read
/// first.
pub(super) const START_BYTES: u64 = 1 << 20;
/// How much of the end of a larger file is read first. Most footers fit; a longer one takes a second request.
const END_BYTES: u64 = 64 << 10;

/// The part of a file that its format reads first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lead {
    /// The start of the piece.
    Start,
    /// The end of the file.
    End,
    /// The whole file.
    Whole,
}

impl Lead {
    fn range(self, piece: &Piece) -> Range<u64> {
        if piece.size <= START_BYTES {
            return 0..piece.size;
        }
        match self {
            Lead::End => piece.size - END_BYTES..piece.size,
            Lead::Start | Lead::Whole => {
                let first = if self == Lead::Whole { 0 } else { piece.start.saturating_sub(1) };
                first..piece.size.min(piece.end + TAIL_BYTES).min(first + START_BYTES)
            }
        }
    }
}

/// How many ends of files are kept for other pieces of the same file, each of which is read by another task.
const MAX_ENDS: usize = 8;

/// The most recently requested ends, by file. Concurrent requests for the same end share one.
static ENDS: LazyLock<Mutex<VecDeque<(InputFile, Ahead)>>> = LazyLock::new(Mutex::default);

/// Bytes of a file that were requested ahead; clones share them. They are not sent with a piece to another
/// process.
#[derive(Clone, Default)]
pub struct Ahead(Option<Arc<Inner>>);

struct Inner {
    object: Object,
    range: Range<u64>,
    state: Mutex<State>,
}

enum State {
    Asked(Fetch),
    Got(Result<Bytes>),
    /// Only while the request is awaited, under the lock.
    Taken,
}

impl Ahead {
    /// Requests the first bytes that are needed of `piece`, if its store is remote.
    fn ask(piece: &Piece, lead: Lead) -> Ahead {
        let range = lead.range(piece);
        // An invalid address is reported when the piece is opened.
        let Ok(Location { store, path, .. }) = Location::exact(&piece.address) else { return Ahead(None) };
        if !store.is_remote() || range.is_empty() {
            return Ahead(None);
        }
        let object = Object::new(store, path, piece);
        let state = Mutex::new(State::Asked(object.fetch(range.clone())));
        Ahead(Some(Arc::new(Inner { object, range, state })))
    }

    /// The same for the end of the file of `piece`, requested once per file.
    fn ask_end(piece: &Piece) -> Ahead {
        let file =
            InputFile { address: piece.address.clone(), size: piece.size, version: piece.version.clone() };
        let mut ends = ENDS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, end)) = ends.iter().find(|(known, _)| *known == file) {
            return end.clone();
        }
        let end = Ahead::ask(piece, Lead::End);
        if end.0.is_some() {
            ends.truncate(MAX_ENDS - 1);
            ends.push_front((file, end.clone()));
        }
        end
    }

    /// The object that the bytes belong to.
    pub(super) fn object(&self) -> Option<Object> {
        self.0.as_ref().map(|inner| inner.object.clone())
    }

    /// The requested range.
    pub(super) fn range(&self) -> Range<u64> {
        self.0.as_ref().map_or(0..0, |inner| inner.range.clone())
    }

    /// The requested bytes from byte `at` of the file on; `None` if that byte was not requested.
    pub(super) fn bytes_from(&self, at: u64) -> Option<Result<Bytes>> {
        let inner = self.0.as_ref().filter(|inner| inner.range.contains(&at))?;
        let mut state = inner.state.lock().unwrap_or_else(PoisonError::into_inner);
        *state = match std::mem::replace(&mut *state, State::Taken) {
            State::Asked(fetch) => State::Got(fetch.wait()),
            known => known,
        };
        match &*state {
            State::Got(bytes) => {
                let skip = (at - inner.range.start) as usize;
                Some(bytes.clone().map(|bytes| bytes.slice(skip.min(bytes.len())..)))
            }
            State::Asked(_) | State::Taken => None,
        }
    }
}

impl fmt::Debug for Ahead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.range())
    }
}

/// Requested bytes are not part of the identity of a piece.
impl PartialEq for Ahead {
    fn eq(&self, _: &Ahead) -> bool {
        true
    }
}

impl Eq for Ahead {}

/// Returns the pieces in order, each with its first bytes requested.
pub fn read_ahead(pieces: &[Piece], lead: Lead) -> ReadAhead<'_> {
    ReadAhead { pieces, lead, asked: VecDeque::new(), bytes: 0 }
}

/// The iterator that [`read_ahead`] returns.
pub struct ReadAhead<'p> {
    /// The pieces that have not been returned yet.
    pieces: &'p [Piece],
    lead: Lead,
    /// The requests for the first of them.
    asked: VecDeque<Ahead>,
    /// The bytes of those requests.
    bytes: u64,
}

impl ReadAhead<'_> {
    fn ask(&mut self) {
        while let Some(piece) = self.pieces.get(self.asked.len())
            && self.asked.len() < MAX_FILES
            && (self.bytes < MAX_BYTES || self.asked.is_empty())
        {
            let is_part = piece.end - piece.start < piece.size;
            let ahead = match self.lead {
                Lead::End if is_part => Ahead::ask_end(piece),
                lead => Ahead::ask(piece, lead),
            };
            self.bytes += length(&ahead);
            self.asked.push_back(ahead);
        }
    }
}

impl<'p> Iterator for ReadAhead<'p> {
    type Item = Cow<'p, Piece>;

    fn next(&mut self) -> Option<Cow<'p, Piece>> {
        self.ask();
        let (piece, rest) = self.pieces.split_first()?;
        self.pieces = rest;
        let ahead = self.asked.pop_front().unwrap_or_default();
        self.bytes -= length(&ahead);
        Some(match ahead.0 {
            None => Cow::Borrowed(piece),
            Some(_) => Cow::Owned(Piece { ahead, ..piece.clone() }),
        })
    }
}

fn length(ahead: &Ahead) -> u64 {
    let range = ahead.range();
    range.end - range.start
}
