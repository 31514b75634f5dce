//! Reads a piece of text as large blocks of whole lines.
//!
//! The blocks of a [`Piece`] are valid UTF-8. A piece owns the lines that start in it: it skips the line that
//! began before its start and reads past its end to finish its last line. So every line is read by exactly
//! one task, and the tasks need no coordination. One buffer is reused for all blocks; the unfinished line at
//! its end is moved to its start. Blocks exist because a function call, a UTF-8 check and a possible error
//! per line would cost more than counting the line's words. `decode` and `reader` provide the bytes, `lines`
//! splits a block into lines.

use std::ops::Range;

use memchr::{memchr, memrchr};

use super::decode::{Codec, Decoder};
use super::reader::Reader;
use super::split::Piece;
use crate::error::{Error, Result};

/// The longest line that is read, including its line end: it must fit in memory once per task.
pub const MAX_LINE_BYTES: usize = 64 << 20;

/// How much is read at a time: it stays in the L2 cache while it is read, checked and split.
const BLOCK_BYTES: usize = 256 << 10;

/// The byte order mark, which some editors write before UTF-8 text; it is not part of the first line.
pub const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Reads the lines of one piece, block by block.
pub struct TextBlocks {
    input: Decoder,
    codec: Codec,
    address: String,
    buffer: Vec<u8>,
    /// How much of the buffer contains text.
    filled: usize,
    /// How much of that text has been returned.
    taken: usize,
    /// The position of the buffer's start in the text.
    position: u64,
    /// The last position at which a line of the piece can start; the first newline from here on ends the
    /// piece.
    last: u64,
    input_ended: bool,
    finished: bool,
}

impl TextBlocks {
    /// Opens the file of `piece` and skips to the first line that starts in it.
    ///
    /// # Errors
    /// When the file cannot be opened or read; of class data when its content does not match the extension.
    pub fn open(piece: &Piece) -> Result<TextBlocks> {
        TextBlocks::with_block_bytes(piece, BLOCK_BYTES)
    }

    fn with_block_bytes(piece: &Piece, block_bytes: usize) -> Result<TextBlocks> {
        let codec = Codec::of(&piece.address);
        // The byte before the start shows whether a line starts exactly there.
        let first = piece.start.saturating_sub(1);
        let input = Decoder::new(codec, Reader::open(piece, first)?);
        let mut blocks = TextBlocks {
            input: input.map_err(|e| e.at("file", &piece.address))?,
            codec,
            address: piece.address.clone(),
            buffer: vec![0; block_bytes.max(BYTE_ORDER_MARK.len())],
            filled: 0,
            taken: 0,
            position: first,
            last: if codec == Codec::Plain { piece.end.saturating_sub(1) } else { u64::MAX },
            input_ended: false,
            finished: codec == Codec::Plain && piece.start >= piece.end,
        };
        if piece.start == 0 {
            blocks.skip_byte_order_mark()?
        } else {
            blocks.skip_to_line_start()?
        }
        Ok(blocks)
    }

    /// The next lines, whole and in order: each ends in `\n` except perhaps the last of the file.
    ///
    /// # Errors
    /// Of class data for invalid UTF-8, a line over [`MAX_LINE_BYTES`] or a damaged compressed stream.
    pub fn next_block(&mut self) -> Result<Option<&str>> {
        let block = self.advance()?;
        if block.is_empty() {
            return Ok(None);
        }
        match std::str::from_utf8(&self.buffer[block.clone()]) {
            Ok(text) => Ok(Some(text)),
            Err(e) => Err(self.invalid(block.start + e.valid_up_to())),
        }
    }

    /// The latest block; empty at the end.
    pub(super) fn block(&self) -> &[u8] {
        &self.buffer[..self.taken]
    }

    /// The number of bytes read from the file so far, before decompression.
    pub fn bytes_read(&self) -> u64 {
        self.input.bytes_read()
    }

    /// The position of the next block in the text, in bytes after decompression.
    pub fn position(&self) -> u64 {
        self.position + self.taken as u64
    }

    /// Reads the next block; an empty one means the end.
    fn advance(&mut self) -> Result<Range<usize>> {
        if self.finished {
            (self.filled, self.taken) = (0, 0);
            return Ok(0..0);
        }
        self.carry_rest();
        let mut room = self.buffer.len().min(BLOCK_BYTES);
        loop {
            self.fill(room)?;
            if let Some(end) = self.block_end() {
                self.taken = end;
                return Ok(0..end);
            }
            if self.filled >= room {
                room = self.more_room(room)?;
            }
        }
    }

    /// Moves the unfinished line to the start of the buffer.
    fn carry_rest(&mut self) {
        self.buffer.copy_within(self.taken..self.filled, 0);
        self.position += self.taken as u64;
        self.filled -= self.taken;
        self.taken = 0;
    }

    /// Reads until the buffer has `room` bytes, the piece ends or the input ends.
    ///
    /// The reader stops at the end of the piece, so past it every call reads only a little.
    fn fill(&mut self, room: usize) -> Result<()> {
        while self.filled < room && !self.input_ended {
            let read = self.input.read(&mut self.buffer[self.filled..room]);
            let count = read.map_err(|e| self.placed(e))?;
            self.filled += count;
            self.input_ended = count == 0;
            if self.position + self.filled as u64 > self.last {
                break;
            }
        }
        Ok(())
    }

    /// The end of the whole lines in the buffer, if there is one; also detects the end of the piece.
    fn block_end(&mut self) -> Option<usize> {
        let text = &self.buffer[..self.filled];
        let last = usize::try_from(self.last.saturating_sub(self.position)).unwrap_or(usize::MAX);
        if let Some(end) = text.get(last..).and_then(|tail| memchr(b'\n', tail)) {
            self.finished = true;
            return Some(last + end + 1);
        }
        if self.input_ended {
            self.finished = true;
            return Some(self.filled);
        }
        memrchr(b'\n', text).map(|end| end + 1)
    }

    /// Doubles `room`, because the line at the start of the buffer does not end in it.
    fn more_room(&mut self, room: usize) -> Result<usize> {
        if room >= MAX_LINE_BYTES {
            let message = format!("a line is longer than {} MiB", MAX_LINE_BYTES >> 20);
            let error = self.placed(Error::data(message)).at(self.byte(), self.position);
            return Err(error.help(format!(
                "the limit is MAX_LINE_BYTES = {MAX_LINE_BYTES}; is the file text, with lines that end in \\n?"
            )));
        }
        let room = (room * 2).min(MAX_LINE_BYTES);
        if self.buffer.len() < room {
            self.buffer.resize(room, 0);
        }
        Ok(room)
    }

    fn skip_byte_order_mark(&mut self) -> Result<()> {
        while self.filled < BYTE_ORDER_MARK.len() && !self.input_ended && !self.finished {
            self.fill(BYTE_ORDER_MARK.len())?;
        }
        if self.buffer[..self.filled].starts_with(BYTE_ORDER_MARK) {
            self.taken = BYTE_ORDER_MARK.len();
        }
        Ok(())
    }

    /// Skips the rest of the line that began before the piece; it may be the whole piece.
    fn skip_to_line_start(&mut self) -> Result<()> {
        while !self.finished {
            let room = self.buffer.len();
            self.fill(room)?;
            // The line after a newline at `last` or later would start after the end of the piece.
            let owned = usize::try_from(self.last - self.position).unwrap_or(usize::MAX);
            let text = &self.buffer[..self.filled.min(owned)];
            if let Some(end) = memchr(b'\n', text) {
                self.taken = end + 1;
                return Ok(());
            }
            self.finished = self.filled >= owned || self.input_ended;
            self.position += self.filled as u64;
            self.filled = 0;
        }
        Ok(())
    }

    fn invalid(&self, at: usize) -> Error {
        let error = match self.codec {
            Codec::Plain => Error::data("invalid UTF-8"),
            _ => Error::data("invalid UTF-8 in the decompressed text"),
        };
        let error = self.placed(error).at(self.byte(), self.position + at as u64);
        error.help("text must be UTF-8; convert the file, for example with iconv")
    }

    /// The unit of positions in the text, for errors.
    pub fn byte(&self) -> &'static str {
        if self.codec == Codec::Plain { "byte" } else { "decompressed byte" }
    }

    fn placed(&self, error: Error) -> Error {
        error.at("file", &self.address)
    }
}

#[cfg(test)]
mod tests;
