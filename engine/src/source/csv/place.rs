//! The position of an error in a CSV file: the line and column name that a user finds in an editor.
//!
//! The column name is taken from arrow-csv's error message, the line is computed from the number of the
//! record in its piece. Lines are counted only now, from the start of the file, because only errors need
//! them.

use arrow::error::ArrowError;
use memchr::memchr_iter;

use super::CsvFormat;
use super::quoting::{QuoteScanner, is_line_end};
use crate::error::Error;
use crate::source::blocks::TextBlocks;
use crate::source::split::Piece;

/// A parsed error message of arrow-csv. The line in the message is not used, because it is counted from where
/// the decoder started.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// A field that cannot be parsed.
    Value { value: String, data_type: String, column: usize },
    /// A record with more or fewer fields than the header.
    Fields { expected: String, found: String },
    /// Any other message, unchanged.
    Other(String),
}

impl Failure {
    pub(super) fn read(error: &ArrowError) -> Failure {
        let text = match error {
            ArrowError::ParseError(text) | ArrowError::CsvError(text) => text,
            other => return Failure::Other(other.to_string()),
        };
        value(text).or_else(|| fields(text)).unwrap_or_else(|| Failure::Other(text.clone()))
    }

    /// Converts the failure into an error; `name` returns the name of a column.
    pub(super) fn into_error<'a>(self, name: impl Fn(usize) -> Option<&'a str>) -> Error {
        match self {
            Failure::Value { value, data_type, column } => {
                let error = Error::data(format!("`{value}` is no {data_type}"));
                error.at("column", name(column).unwrap_or("?"))
            }
            Failure::Fields { expected, found } => {
                Error::data(format!("a record has {found} fields, expected {expected}"))
            }
            Failure::Other(text) => Error::data(format!("a record cannot be read: {text}")),
        }
    }
}

/// `Error while parsing value 'x' as type 'Int64' for column 1 at line 4. Row data: '[..]'`
fn value(text: &str) -> Option<Failure> {
    let rest = text.strip_prefix("Error while parsing value '")?;
    let (value, rest) = rest.split_once("' as type '")?;
    let (data_type, rest) = rest.split_once("' for column ")?;
    let (column, _) = rest.split_once(" at line ")?;
    let (value, data_type) = (value.to_owned(), data_type.to_owned());
    Some(Failure::Value { value, data_type, column: column.parse().ok()? })
}

/// `incorrect number of fields for line 3, expected 2 got 3`
fn fields(text: &str) -> Option<Failure> {
    let rest = text.strip_prefix("incorrect number of fields for line ")?;
    let (_, rest) = rest.split_once(", expected ")?;
    let (expected, found) = rest.split_once(" got ")?;
    Some(Failure::Fields { expected: expected.to_owned(), found: found.to_owned() })
}

/// The line, from 1, of the byte at `position` in the text of the file of `piece`.
pub(super) fn line_at(piece: &Piece, position: u64) -> Option<u64> {
    let whole = Piece { start: 0, end: piece.size, ..piece.clone() };
    let (mut text, mut line) = (TextBlocks::open(&whole).ok()?, 1);
    loop {
        let start = text.position();
        let block = text.next_block().ok()??.as_bytes();
        let before = usize::try_from(position.checked_sub(start)?).ok()?.min(block.len());
        line += memchr_iter(b'\n', &block[..before]).count() as u64;
        if before < block.len() {
            return Some(line);
        }
    }
}

/// Finds the lines of records in one forward scan, as long as they are requested in ascending order.
pub(super) struct LineFinder {
    piece: Piece,
    format: CsvFormat,
    /// The state of the scan, if there was one.
    search: Option<Search>,
}

struct Search {
    text: TextBlocks,
    /// How much of the current block has been scanned.
    taken: usize,
    quotes: QuoteScanner,
    /// The position from which records count.
    start: u64,
    line: u64,
    /// The number of the piece's records before that position.
    record: u64,
}

impl LineFinder {
    pub(super) fn new(piece: &Piece, format: &CsvFormat) -> LineFinder {
        LineFinder { piece: piece.clone(), format: format.clone(), search: None }
    }

    /// The line, from 1, on which record `record` of the piece starts; the header counts as a record.
    pub(super) fn line_of(&mut self, record: u64) -> Option<u64> {
        let search = self.search.take().filter(|search| search.record <= record);
        let search = search.map_or_else(|| Search::start(&self.piece, &self.format), Some)?;
        self.search.insert(search).run(record)
    }
}

impl Search {
    fn start(piece: &Piece, format: &CsvFormat) -> Option<Search> {
        let whole = Piece { start: 0, end: piece.size, ..piece.clone() };
        let text = TextBlocks::open(&whole).ok()?;
        let quotes = QuoteScanner::new(format, text.position());
        Some(Search { taken: text.block().len(), text, quotes, start: piece.start, line: 1, record: 0 })
    }

    /// Stops before the first byte of the record, so that the next search continues there.
    fn run(&mut self, record: u64) -> Option<u64> {
        loop {
            while let Some(&byte) = self.text.block().get(self.taken) {
                if self.starts_record(byte) {
                    if self.record == record {
                        return Some(self.line);
                    }
                    self.record += 1;
                }
                self.line += u64::from(byte == b'\n');
                self.quotes.step(byte);
                self.taken += 1;
            }
            self.taken = 0;
            self.text.next_block().ok()??;
        }
    }

    fn starts_record(&self, byte: u8) -> bool {
        self.quotes.position() >= self.start && self.quotes.is_at_line_start() && !is_line_end(byte)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_arrow_says_is_understood() {
        let said = "Error while parsing value '4.x4' as type 'Float32' for column 1 at line 4. Row data: '[4,4.x4,,false]'";
        let error = Failure::read(&ArrowError::ParseError(said.to_owned())).into_error(|_| Some("b"));
        assert_eq!(error.to_string(), "`4.x4` is no Float32, at column b");
        let said = "incorrect number of fields for line 3, expected 2 got 3";
        let error = Failure::read(&ArrowError::CsvError(said.to_owned())).into_error(|_| None);
        assert_eq!(error.to_string(), "a record has 3 fields, expected 2");
    }
}
