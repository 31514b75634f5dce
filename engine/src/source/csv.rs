//! Reads the records of a piece of a CSV file as typed columns.
//!
//! Text comes in blocks of whole lines (`blocks`), decompressed and with valid UTF-8. arrow-csv splits the
//! fields and parses them directly into the types of the row, where it does so exactly (`spelled`). After an
//! error, the records of the batch are read again one by one to find the record, and the error names the
//! file's line and the column (`place`). An empty field is a null; in a `String` that is not an `Option` it
//! is the empty string. Empty lines are not records. Quotes are checked before a block is parsed (`quoting`),
//! because the parser accepts a field that is still open at the end of the text.

mod columns;
mod place;
mod quoting;

use std::convert::Infallible;

use arrow::array::RecordBatch;
use arrow::csv::reader::Decoder;
use arrow::error::ArrowError;
use memchr::memchr2;
use serde::{Deserialize, Serialize};

use self::columns::CsvColumns;
use self::place::{Failure, LineFinder, line_at};
use self::quoting::Misquoted;
pub(super) use self::quoting::{QuoteScanner, State};
use super::adapt::Wanted;
use super::batches::{Batches, Places};
use super::blocks::{MAX_LINE_BYTES, TextBlocks};
use super::guard::decoding;
use super::listing::InputFile;
use super::quotes::record_starts;
use super::split::{Piece, Split, plan_splits_at};
use crate::error::{Error, Result};
use crate::row::BatchLimits;

/// The name of the format in messages.
const WHAT: &str = "CSV";

/// The format of a CSV file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CsvFormat {
    /// The separator between two fields.
    pub delimiter: u8,
    /// Encloses a field that contains a delimiter, a newline or a quote; a quote inside is doubled.
    pub quote: u8,
    /// A field with this text is null, like an empty one.
    pub null_value: Option<String>,
    /// Whether the first record of every file has the column names.
    pub header: bool,
    /// Whether a quoted field may contain a newline.
    pub multi_line: bool,
}

impl Default for CsvFormat {
    fn default() -> Self {
        CsvFormat { delimiter: b',', quote: b'"', null_value: None, header: true, multi_line: true }
    }
}

/// Checks the delimiter and the quote of CSV, for reading and for writing.
///
/// Each must be an ASCII character, because a field is UTF-8 text that a byte of another character would
/// split. Neither may be a line end, and they must differ.
///
/// # Errors
/// Of class config.
pub fn check_marks(delimiter: u8, quote: u8) -> Result<()> {
    for (what, mark) in [("delimiter", delimiter), ("quote", quote)] {
        if !mark.is_ascii() || quoting::is_line_end(mark) {
            let error = Error::config(format!("the {what} cannot be {:?}", char::from(mark)));
            return Err(error.help("it is an ASCII character, and no line end"));
        }
    }
    if delimiter == quote {
        let mark = char::from(delimiter);
        return Err(Error::config(format!("the delimiter cannot be the quote, which is {mark:?}")));
    }
    Ok(())
}

impl CsvFormat {
    /// Splits big files at the starts of records and packs small ones.
    ///
    /// # Errors
    /// When a big file cannot be searched for the starts of records.
    pub fn plan(&self, files: &[InputFile]) -> Result<Vec<Split>> {
        plan_splits_at(files, |file, places| match self.multi_line {
            true => record_starts(file, places, self),
            false => Ok(places),
        })
    }
}

/// The records of one piece.
pub struct CsvBatches {
    format: CsvFormat,
    piece: Piece,
    wanted: Wanted,
    text: TextBlocks,
    /// How much of the current block has been decoded.
    taken: usize,
    text_ended: bool,
    quotes: QuoteScanner,
    decoder: Decoder,
    columns: CsvColumns,
    /// The records of the piece before the current batch, including the header.
    records: u64,
    /// Bytes that were decoded since the last end of a record.
    open_bytes: usize,
    /// Bytes of text in the current batch.
    batch_bytes: usize,
}

impl CsvBatches {
    /// Opens the piece and compares the header with the wanted columns.
    ///
    /// # Errors
    /// Of class data when the header does not fit; of class config for a column that CSV cannot represent.
    pub fn open(piece: &Piece, wanted: &Wanted, format: &CsvFormat) -> Result<CsvBatches> {
        let columns = CsvColumns::find(piece, wanted, format)?;
        let has_header = has_header(piece, format);
        let decoder = columns.decoder(format, has_header, wanted.limits);
        let text = TextBlocks::open(piece)?;
        Ok(CsvBatches {
            format: format.clone(),
            piece: piece.clone(),
            wanted: wanted.clone(),
            // The bytes that were read before the first line do not belong to the piece.
            taken: text.block().len(),
            quotes: QuoteScanner::new(format, text.position()),
            text,
            text_ended: false,
            decoder,
            columns,
            records: u64::from(has_header),
            open_bytes: 0,
            batch_bytes: 0,
        })
    }

    /// The next batch, or its error without the line.
    fn read(&mut self) -> Result<Option<RecordBatch>, Fault> {
        self.fill()?;
        self.batch_bytes = 0;
        let batch = guarded(&self.piece.address, || self.decoder.flush())?;
        let Some(batch) = batch.map_err(|e| self.explain(&e))? else { return Ok(None) };
        self.records += batch.num_rows() as u64;
        let batch = self.columns.with_empty_strings(batch)?;
        if let Some(error) = self.columns.missing_value(&batch) {
            return Err(error.at("file", &self.piece.address).into());
        }
        Ok(Some(self.columns.adapter().adapt(&batch, |_| None)?))
    }

    /// Decodes until the batch is full or the text ends.
    ///
    /// A batch can end only where a record ends. At its limit the decoder is therefore given one line at a
    /// time; its capacity shows whether a line ended a record.
    fn fill(&mut self) -> Result<(), Fault> {
        loop {
            if self.taken == self.text.block().len() && !self.text_ended {
                self.next_block().map_err(Fault::Text)?;
            }
            // At the end of the text this is empty, which signals the end to the decoder.
            let rest = &self.text.block()[self.taken..];
            let left = self.wanted.limits.bytes.saturating_sub(self.batch_bytes);
            let is_at_limit = left == 0;
            let rest = if is_at_limit { first_line(rest) } else { &rest[..rest.len().min(left)] };
            let room = self.decoder.capacity();
            let count = guarded(&self.piece.address, || self.decoder.decode(rest))?;
            let count = count.map_err(|e| self.explain(&e))?;
            self.taken += count;
            self.batch_bytes += count;
            let ends_record = self.decoder.capacity() < room;
            self.open_bytes = if ends_record { 0 } else { self.open_bytes + count };
            if is_at_limit && ends_record {
                return Ok(());
            }
            if self.open_bytes > MAX_LINE_BYTES {
                let text = format!("a record is longer than {} MiB", MAX_LINE_BYTES >> 20);
                let error = Error::data(text).at("file", &self.piece.address);
                return Err(error.help("is a quote opened and never closed?").into());
            }
            if count == 0 && (self.text_ended || self.decoder.capacity() == 0) {
                return Ok(());
            }
        }
    }

    /// Reads more text and checks its quotes.
    fn next_block(&mut self) -> Result<()> {
        self.taken = 0;
        match self.text.next_block()? {
            Some(block) => self.quotes.feed(block.as_bytes()),
            None => {
                self.text_ended = true;
                self.quotes.finish();
            }
        }
        let Some(fault) = self.quotes.fault() else { return Ok(()) };
        Err(misquoted(fault, &self.piece, self.text.byte()))
    }

    /// The first invalid record after the first `before` records, and its error.
    fn find(&self, before: u64) -> Option<(u64, Error)> {
        let mut again = CsvBatches::open(&self.piece, &self.wanted, &self.format).ok()?;
        let first = again.records;
        while again.records < before {
            again.read().ok()??;
        }
        let starts_with_header = has_header(&self.piece, &self.format) && again.records == first;
        let one = BatchLimits { rows: 1, ..self.wanted.limits };
        again.decoder = again.columns.decoder(&self.format, starts_with_header, one);
        loop {
            let record = again.records;
            match again.read() {
                Ok(batch) => drop(batch?),
                Err(Fault::Record(error)) => return Some((record, error)),
                Err(Fault::Text(_)) => return None,
            }
        }
    }

    /// Adds the column to the error.
    fn explain(&self, error: &ArrowError) -> Error {
        let error = Failure::read(error).into_error(|at| self.columns.name(at));
        error.at("file", &self.piece.address)
    }
}

/// The error for a quoted field, with the line of its opening quote, or with its position in `unit` if the
/// line is not found.
fn misquoted(fault: Misquoted, piece: &Piece, unit: &'static str) -> Error {
    let error = fault.error().at("file", &piece.address);
    match line_at(piece, fault.opened) {
        Some(line) => error.at("line", line),
        None => error.at(unit, fault.opened),
    }
}

/// What stopped the reading of a batch.
enum Fault {
    /// The text itself cannot be read; the error has its position.
    Text(Error),
    /// A record cannot be read.
    Record(Error),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Fault {
        Fault::Record(error)
    }
}

impl Batches for CsvBatches {
    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        let before = self.records;
        let error = match self.read() {
            Ok(batch) => return Ok(batch),
            Err(Fault::Text(error)) => return Err(error),
            Err(Fault::Record(error)) => error,
        };
        let Some((record, error)) = self.find(before) else { return Err(error) };
        let line = LineFinder::new(&self.piece, &self.format).line_of(record);
        Err(match line {
            Some(line) => error.at("line", line),
            None => error,
        })
    }

    fn bytes_read(&self) -> u64 {
        self.text.bytes_read()
    }

    fn places(&self) -> Places {
        let mut lines = LineFinder::new(&self.piece, &self.format);
        let is_header = u64::from(has_header(&self.piece, &self.format));
        Places { unit: "line", find: Box::new(move |row| lines.line_of(row + is_header)) }
    }
}

/// `text` up to the first byte that may end a record.
fn first_line(text: &[u8]) -> &[u8] {
    memchr2(b'\n', b'\r', text).map_or(text, |end| &text[..=end])
}

/// Whether the first record of the piece is the header.
fn has_header(piece: &Piece, format: &CsvFormat) -> bool {
    format.header && piece.start == 0
}

/// Runs the decoder and returns its own error unchanged.
fn guarded<T>(file: &str, body: impl FnOnce() -> Result<T, ArrowError>) -> Result<Result<T, ArrowError>> {
    decoding(WHAT, file, || Ok::<_, Infallible>(body()))
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;
    use arrow::datatypes::Int64Type;

    use super::*;

    #[test]
    fn pieces_cut_anywhere_give_every_record_once_with_its_line() {
        let text = "value\n1\n\n22\r\n333";
        let folder = tempfile::tempdir().unwrap();
        let address = folder.path().join("a.csv").display().to_string();
        std::fs::write(&address, text).unwrap();
        let size = text.len() as u64;
        let (wanted, format) = (Wanted::of::<i64>(false, 10), CsvFormat::default());
        for cut in 1..=size {
            let (mut values, mut lines) = (Vec::new(), Vec::new());
            for (start, end) in [(0, cut), (cut, size)] {
                let piece = Piece { start, end, ..Piece::whole(&address, size) };
                let mut batches = CsvBatches::open(&piece, &wanted, &format).unwrap();
                while let Some(batch) = batches.next_batch().unwrap() {
                    values.extend_from_slice(batch.column(0).as_primitive::<Int64Type>().values());
                    lines.extend((0..batch.num_rows() as u64).map(|row| batches.places().of(row).unwrap().1));
                }
            }
            assert_eq!((values, lines), (vec![1, 22, 333], vec![2, 4, 5]), "cut at byte {cut}");
        }
    }
}
