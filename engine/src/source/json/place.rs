//! On which line of a JSON file an object stands.
//!
//! A piece and the number of an object in it enter, a line leaves, counted from the start of the file: nobody
//! needs it while all is well, so it is looked for when something is wrong. Objects are taken for one a line;
//! empty lines hold none. What an object is made of is not known here.

use memchr::memchr;

use crate::error::Result;
use crate::source::blocks::TextBlocks;
use crate::source::lines::lines;
use crate::source::split::Piece;

/// Finds lines, forward through the file: asked for ascending objects it reads it once.
pub(super) struct LineFinder {
    piece: Piece,
    /// Where the search stands, if there was one.
    search: Option<Search>,
}

struct Search {
    text: TextBlocks,
    /// How much of the current block has been looked at.
    taken: usize,
    /// Lines of the file, and objects of the piece, before that.
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

    /// Stops before the line, so that the next search begins there.
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
