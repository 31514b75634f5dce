//! `COPY … (FORMAT binary)` as record batches: one pass over the bytes, values go straight into columns.
//!
//! The bytes come in chunks of any size; a tuple that is cut is decoded when the rest has come. Only its lengths are looked
//! at before that. The server sends a tuple a chunk, so usually nothing is copied before it is decoded.

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use arrow::util::display::array_value_to_string;
use bytes::{Buf, Bytes, BytesMut};
use kiln::connect::BatchLimits;
use kiln::{Error, Result};

use super::types::Decoded;
use super::values::{Bad, Values};

/// What every stream begins with: a signature, flags, and the length of what follows.
const SIGNATURE: &[u8; 11] = b"PGCOPY\n\xff\r\n\0";
const HEADER: usize = SIGNATURE.len() + 8;
/// The count of fields that ends a stream.
const TRAILER: i16 = -1;
/// A row takes at least so many bytes for each of its columns, null or not.
const LEAST_BYTES: usize = 8;

/// How far decoding has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// Another chunk is needed.
    NeedsMore,
    /// A batch is complete.
    Full,
    /// The stream has ended.
    Ended,
}

/// Decodes one stream.
pub(super) struct Decoder {
    decoded: Vec<Decoded>,
    columns: Vec<Values>,
    limits: BatchLimits,
    pending: Bytes,
    /// Whether the header has been read.
    is_begun: bool,
    is_ended: bool,
    /// Rows and bytes of the batch.
    rows: usize,
    bytes: usize,
    /// Rows of the stream.
    total: u64,
    /// Whether columns hold a part of a row that could not be decoded, behind those of the batch.
    is_cut: bool,
}

/// A value that cannot be decoded: the row of the stream, the column, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BadRow {
    pub(super) row: u64,
    pub(super) column: Option<usize>,
    pub(super) bad: Bad,
    /// Its values as text, nothing for a null; bytes for those that cannot be decoded.
    pub(super) values: Vec<Option<String>>,
}

impl Decoder {
    pub(super) fn new(columns: &[Decoded], limits: BatchLimits) -> Decoder {
        Decoder {
            decoded: columns.to_vec(),
            columns: columns.iter().map(|decoded| Values::new(decoded, limits.rows)).collect(),
            limits,
            pending: Bytes::new(),
            is_begun: false,
            is_ended: false,
            rows: 0,
            bytes: 0,
            total: 0,
            is_cut: false,
        }
    }

    /// Adds the next chunk.
    pub(super) fn feed(&mut self, chunk: Bytes) {
        if self.pending.is_empty() {
            self.pending = chunk;
            return;
        }
        let mut joined = BytesMut::with_capacity(self.pending.len() + chunk.len());
        joined.extend_from_slice(&self.pending);
        joined.extend_from_slice(&chunk);
        self.pending = joined.freeze();
    }

    /// Decodes what there is, up to the end of a batch. After an error about a row, which names a column, the next call goes
    /// on with the row behind it; the batch ends before the row, and has to be finished first.
    pub(super) fn decode(&mut self) -> Result<Progress, BadRow> {
        let mut pending = std::mem::take(&mut self.pending);
        let mut rest = &pending[..];
        let progress = self.decode_from(&mut rest);
        let left = rest.len();
        pending.advance(pending.len() - left);
        self.pending = pending;
        progress
    }

    fn decode_from(&mut self, rest: &mut &[u8]) -> Result<Progress, BadRow> {
        if !self.is_begun && !self.header(rest)? {
            return Ok(Progress::NeedsMore);
        }
        while !self.is_ended {
            if self.is_cut {
                return Ok(Progress::Full);
            }
            if self.limits.are_reached(self.rows, self.bytes) && self.rows > 0 {
                return Ok(Progress::Full);
            }
            let Some((count, tuple)) = rest.split_first_chunk::<2>() else { return Ok(Progress::NeedsMore) };
            let count = i16::from_be_bytes(*count);
            if count == TRAILER {
                self.is_ended = true;
                *rest = tuple;
                break;
            }
            if usize::try_from(count) != Ok(self.columns.len()) {
                return Err(
                    self.bad(None, Bad::new("a tuple whose number of fields is not that of the columns"))
                );
            }
            let Some(length) = length_of(tuple, self.columns.len()) else { return Ok(Progress::NeedsMore) };
            let (tuple, behind) = tuple.split_at(length);
            *rest = behind;
            self.tuple(tuple)?;
        }
        match rest.is_empty() {
            true => Ok(Progress::Ended),
            false => Err(self.bad(None, Bad::new("bytes after the end of the stream"))),
        }
    }

    /// Reads the header if all of it is there.
    fn header(&mut self, rest: &mut &[u8]) -> Result<bool, BadRow> {
        let Some((header, tail)) = rest.split_first_chunk::<HEADER>() else { return Ok(false) };
        let (flags, extension) = (&header[11..15], &header[15..19]);
        // The upper half of the flags is for what a reader must know; an extension may be passed over.
        if !header.starts_with(SIGNATURE) || flags[..2] != [0, 0] {
            return Err(self.bad(None, Bad::new("a stream that does not begin as COPY in binary form does")));
        }
        let extension = u32::from_be_bytes([extension[0], extension[1], extension[2], extension[3]]);
        let Some(tail) = tail.get(extension as usize..) else { return Ok(false) };
        self.is_begun = true;
        *rest = tail;
        Ok(true)
    }

    /// Decodes the fields of one tuple, all of which is there.
    #[inline]
    fn tuple(&mut self, tuple: &[u8]) -> Result<(), BadRow> {
        let mut rest = tuple;
        for (at, column) in self.columns.iter_mut().enumerate() {
            let Some((length, tail)) = rest.split_first_chunk::<4>() else { break };
            let length = i32::from_be_bytes(*length);
            if length == -1 {
                column.push_null();
                rest = tail;
                continue;
            }
            let field = usize::try_from(length).ok().and_then(|length| tail.split_at_checked(length));
            let pushed = match field {
                Some((value, tail)) => {
                    rest = tail;
                    column.push(value)
                }
                None => Err(Bad::new("a field whose length is negative")),
            };
            if let Err(bad) = pushed {
                return Err(self.cut(at, bad, tuple));
            }
        }
        self.rows += 1;
        self.total += 1;
        self.bytes += tuple.len().max(self.columns.len() * LEAST_BYTES);
        Ok(())
    }

    /// The rows so far as a batch; the next one is begun.
    pub(super) fn finish(&mut self, schema: &SchemaRef) -> Result<RecordBatch> {
        let rows = self.rows;
        let columns = self.columns.iter_mut().map(|column| Ok(column.finish()?.slice(0, rows)));
        let columns: Result<Vec<ArrayRef>, arrow::error::ArrowError> = columns.collect();
        self.is_cut = false;
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        (self.rows, self.bytes) = (0, 0);
        let batch =
            columns.and_then(|columns| RecordBatch::try_new_with_options(schema.clone(), columns, &options));
        batch.map_err(Error::from)
    }

    /// How many rows wait for the end of their batch.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    #[cold]
    fn bad(&self, column: Option<usize>, bad: Bad) -> BadRow {
        BadRow { row: self.total, column, bad, values: Vec::new() }
    }

    /// The error about the field `at` of a tuple; the columns before it hold a value of the row already.
    #[cold]
    fn cut(&mut self, at: usize, bad: Bad, tuple: &[u8]) -> BadRow {
        let values = self.shown(tuple);
        let error = BadRow { values, ..self.bad(Some(at), bad) };
        self.is_cut = true;
        self.total += 1;
        error
    }

    /// The fields of a tuple as text.
    fn shown(&self, tuple: &[u8]) -> Vec<Option<String>> {
        let (mut rest, mut values) = (tuple, Vec::new());
        for decoded in &self.decoded {
            let Some((length, tail)) = rest.split_first_chunk::<4>() else { break };
            let field = usize::try_from(i32::from_be_bytes(*length)).ok();
            let field = field.and_then(|length| tail.split_at_checked(length));
            rest = field.map_or(tail, |(_, tail)| tail);
            values.push(field.map(|(value, _)| shown(decoded, value)));
        }
        values
    }
}

/// A value as text, or its bytes in hexadecimal if it is none of its type.
fn shown(decoded: &Decoded, bytes: &[u8]) -> String {
    let mut values = Values::new(decoded, 1);
    let pushed = values.push(bytes).ok();
    let text = pushed.and_then(|()| array_value_to_string(&values.finish().ok()?, 0).ok());
    let hex = || bytes.iter().fold("\\x".to_owned(), |text, byte| text + &format!("{byte:02x}"));
    text.unwrap_or_else(hex)
}

/// Bytes of a tuple of so many fields, if all of them are there.
///
/// A negative length other than that of a null counts as none: the one who decodes it refuses it.
#[inline]
fn length_of(tuple: &[u8], fields: usize) -> Option<usize> {
    let mut at = 0_usize;
    for _ in 0..fields {
        let length = tuple.get(at..at + 4)?.first_chunk::<4>()?;
        at += 4 + usize::try_from(i32::from_be_bytes(*length)).unwrap_or(0);
    }
    (at <= tuple.len()).then_some(at)
}

#[cfg(test)]
mod tests;
