//! Finds the line of an object in a JSON file.
//!
//! The line is counted from the start of the file. Only errors need it, so it is computed only then. Each
//! line is taken to contain one object, except empty lines. The content of the objects does not matter here.

use memchr::memchr;

use crate::error::Result;
use crate::source::blocks::TextBlocks;
use crate::source::lines::lines;
use crate::source::split::Piece;

/// Finds lines in one forward scan, as long as objects are requested in ascending order.
pub(super) struct LineFinder {
    piece: Piece,
    /// The state of the scan, if there was one.
    search: Option<Search>,
}

struct Search {
    text: TextBlocks,
    /// How much of the current block has been scanned.
    taken: usize,
    /// The lines of the file, and the objects of the piece, before that position.
    lines: u64,
    objects: u64,
}

impl LineFinder {
    pub(super) fn new(piece: &Piece) -> LineFinder {
        LineFinder { piece: piece.clone(), search: None }
    }

    /// The line, from 1, of the object at `index` in the piece, with its text.
    pub(super) fn line(&mut self, index: u64) -> Option<(u64, &[u8])> {
        let search = self.search.take().filter(|search| search.objects <= index);
        let search = search.map_or_else(|| Search::start(&self.piece).ok(), Some)?;
        self.search.insert(search).run(index)
    }
}

impl Search {
    fn start(piece: &Piece) -> Result<Search> {
        let mut count = 0;
        if piece.start > 0 {
            let mut before = TextBlocks::open(&Piece { start: 0, end: piece.start, ..piece.clone() })?;
            while let Some(block) = before.next_block()? {
                count += lines(block).count() as u64;
            }
        }
        let text = TextBlocks::open(piece)?;
        Ok(Search { taken: text.block().len(), text, lines: count, objects: 0 })
    }

    /// Stops before the line, so that the next search continues there.
    fn run(&mut self, index: u64) -> Option<(u64, &[u8])> {
        loop {
            if self.taken == self.text.block().len() {
                self.text.next_block().ok()??;
                self.taken = 0;
            }
            let rest = &self.text.block()[self.taken..];
            let end = memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
            let holds_object = !rest[..end].trim_ascii().is_empty();
            if holds_object && self.objects == index {
                return Some((self.lines + 1, &self.text.block()[self.taken..self.taken + end]));
            }
            self.objects += u64::from(holds_object);
            self.lines += 1;
            self.taken += end;
        }
    }
}
