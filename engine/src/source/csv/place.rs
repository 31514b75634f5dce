//! Where in a CSV file something is wrong, in the words of someone who opens the file in an editor.
//!
//! What arrow-csv says of a record enters, or the number of a record in its piece; the name of the column
//! leaves, or the line in the file. Lines are counted only now, from the start of the file, because
//! nobody needs them while all is well.

use arrow::error::ArrowError;

use super::CsvFormat;
use crate::error::Error;
use crate::source::blocks::TextBlocks;
use crate::source::split::Piece;

/// What arrow-csv said, taken apart. The line that it names is counted from where its decoder began.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// A field that cannot be parsed.
    Value { value: String, data_type: String, column: usize },
    /// A record with more or fewer fields than the header.
    Fields { expected: String, found: String },
    /// Anything else, as it was said.
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

    /// The error; `name` gives the name of a column.
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

/// Finds the lines of records, forward through the file: asked for ascending records it reads it once.
pub(super) struct LineFinder {
    piece: Piece,
    delimiter: u8,
    quote: u8,
    /// Where the search stands, if there was one.
    search: Option<Search>,
}

struct Search {
    text: TextBlocks,
    /// How much of the current block has been looked at.
    taken: usize,
    lines: Lines,
    record: u64,
}

impl LineFinder {
    pub(super) fn new(piece: &Piece, format: &CsvFormat) -> LineFinder {
        let (delimiter, quote) = (format.delimiter, format.quote);
        LineFinder { piece: piece.clone(), delimiter, quote, search: None }
    }

    /// The line, from 1, on which record `record` of the piece starts; the header is a record, too.
    pub(super) fn line_of(&mut self, record: u64) -> Option<u64> {
        let search = self.search.take().filter(|search| search.record <= record);
        let search = search.map_or_else(|| Search::start(&self.piece, self.delimiter, self.quote), Some)?;
        let search = self.search.insert(search);
        search.lines.left = record - search.record;
        search.record = record;
        search.run()
    }
}

impl Search {
    fn start(piece: &Piece, delimiter: u8, quote: u8) -> Option<Search> {
        let whole = Piece { start: 0, end: piece.size, ..piece.clone() };
        let text = TextBlocks::open(&whole).ok()?;
        let lines = Lines {
            at: 0,
            start: piece.start,
            line: 1,
            left: 0,
            delimiter,
            quote,
            before: b'\n',
            quoted: false,
        };
        Some(Search { taken: text.block().len(), text, lines, record: 0 })
    }

    /// Stops before the byte that starts the record, so that the next search begins there.
    fn run(&mut self) -> Option<u64> {
        loop {
            let rest = &self.text.block()[self.taken..];
            let found = rest.iter().enumerate().find_map(|(i, byte)| Some((i, self.lines.next(*byte)?)));
            if let Some((count, line)) = found {
                self.taken += count;
                return Some(line);
            }
            self.taken = 0;
            self.text.next_block().ok()??;
        }
    }
}

/// Counts lines and records, byte by byte.
struct Lines {
    at: u64,
    /// Where records begin to count.
    start: u64,
    line: u64,
    /// Records to go.
    left: u64,
    delimiter: u8,
    quote: u8,
    before: u8,
    quoted: bool,
}

impl Lines {
    /// The line, if the record that is looked for starts with this byte.
    fn next(&mut self, byte: u8) -> Option<u64> {
        let is_end = |byte| byte == b'\n' || byte == b'\r';
        if self.at >= self.start && !self.quoted && is_end(self.before) && !is_end(byte) {
            if self.left == 0 {
                return Some(self.line);
            }
            self.left -= 1;
        }
        // Two quotes in a field close it and open it again.
        let starts_field = is_end(self.before) || self.before == self.delimiter || self.before == self.quote;
        self.quoted ^= byte == self.quote && (self.quoted || starts_field);
        self.line += u64::from(byte == b'\n');
        self.at += 1;
        self.before = byte;
        None
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
