//! Asks for the beginnings of files before their turn comes, so that a task does not wait for each one anew.
//!
//! A task's pieces enter and leave in their order, those in a remote store with a request under way ([`Ahead`]): for a
//! small file all of it, else the part that its format reads first. Readers take their first bytes from there, and so
//! does everyone who reads the same beginning twice, such as the header of a CSV file and its records.

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

/// Files that a task asks for before it reads them at most.
const MAX_FILES: usize = 32;
/// The same in bytes.
const MAX_BYTES: u64 = 8 << 20;
/// A file of so many bytes takes one request, and so much is read first of a longer one from its start.
pub(super) const START_BYTES: u64 = 1 << 20;
/// How much of the end of a longer file is read first. Most footers fit; a longer one takes a second request.
const END_BYTES: u64 = 64 << 10;

/// Which part of a file its format reads first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lead {
    /// The start of the piece.
    Start,
    /// The end of the file.
    End,
    /// All of the file.
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

/// Ends of files that are kept for the other pieces of the same file: each is read by a task of its own.
const MAX_ENDS: usize = 8;

/// The ends that were asked for last, by what was listed. Those who ask at the same time share one request.
static ENDS: LazyLock<Mutex<VecDeque<(InputFile, Ahead)>>> = LazyLock::new(Mutex::default);

/// Bytes of a file that were asked for; clones share them. They do not travel with a piece.
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
    /// Only while somebody waits, who holds the lock.
    Taken,
}

impl Ahead {
    /// Asks for the first bytes of `piece` that matter, if its store is remote.
    fn ask(piece: &Piece, lead: Lead) -> Ahead {
        let range = lead.range(piece);
        // What is wrong with the address is reported when the piece is opened.
        let Ok(Location { store, path, .. }) = Location::exact(&piece.address) else { return Ahead(None) };
        if !store.is_remote() || range.is_empty() {
            return Ahead(None);
        }
        let object = Object::new(store, path, piece);
        let state = Mutex::new(State::Asked(object.fetch(range.clone())));
        Ahead(Some(Arc::new(Inner { object, range, state })))
    }

    /// The same for the end of a file of which `piece` is a part, asked for once.
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

    /// The object that was asked for them.
    pub(super) fn object(&self) -> Option<Object> {
        self.0.as_ref().map(|inner| inner.object.clone())
    }

    /// Which bytes were asked for.
    pub(super) fn range(&self) -> Range<u64> {
        self.0.as_ref().map_or(0..0, |inner| inner.range.clone())
    }

    /// Those of them from byte `at` of the file on; nothing when that was not asked for.
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

/// What was asked for is no part of what a piece is.
impl PartialEq for Ahead {
    fn eq(&self, _: &Ahead) -> bool {
        true
    }
}

impl Eq for Ahead {}

/// The pieces in their order, each with its first bytes asked for.
pub fn read_ahead(pieces: &[Piece], lead: Lead) -> ReadAhead<'_> {
    ReadAhead { pieces, lead, asked: VecDeque::new(), bytes: 0 }
}

/// The iterator that [`read_ahead`] returns.
pub struct ReadAhead<'p> {
    /// Those that have not been given yet.
    pieces: &'p [Piece],
    lead: Lead,
    /// What was asked for of the first of them.
    asked: VecDeque<Ahead>,
    /// How many bytes that is.
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
