//! Reads the lines of a piece of a JSON file, one object each, as typed columns.
//!
//! Text comes in blocks of whole lines (`blocks`), which arrow-json parses. It would read 1.5 as 1 where an
//! integer is wanted, and truncate decimals and times, so these (`spelled`) are read as text and converted by
//! `adapt`, as for all formats. After an error, the lines of the batch are read again one by one to find the
//! line. An object over several lines is refused if it crosses the end of a block, because such a file could
//! not be split.

mod nesting;
mod place;

use std::convert::Infallible;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::json::ReaderBuilder;
use arrow::json::reader::Decoder;

use self::place::LineFinder;
use super::adapt::{Adapter, Wanted};
use super::batches::{Batches, Places};
use super::blocks::TextBlocks;
use super::guard::decoding;
use super::spelled::is_spelled;
use super::split::Piece;
use crate::error::{Error, Result};

/// The name of the format in messages.
const WHAT: &str = "JSON";

/// The objects of one piece.
pub struct JsonBatches {
    piece: Piece,
    text: TextBlocks,
    /// How much of the current block has been decoded.
    taken: usize,
    parser: Parser,
    /// The number of objects before the current batch.
    rows: u64,
    /// Bytes of text in the current batch.
    batch_bytes: usize,
}

impl JsonBatches {
    /// Opens the piece.
    ///
    /// # Errors
    /// When the file cannot be read, or JSON cannot represent a wanted column.
    pub fn open(piece: &Piece, wanted: &Wanted) -> Result<JsonBatches> {
        let (text, parser) = (TextBlocks::open(piece)?, Parser::new(piece, wanted, wanted.limits.rows)?);
        // The bytes that were read before the first line do not belong to the piece.
        let taken = text.block().len();
        Ok(JsonBatches { piece: piece.clone(), text, taken, parser, rows: 0, batch_bytes: 0 })
    }

    /// The next batch, or its error without the line.
    fn read(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if self.taken == self.text.block().len() {
                self.parser.check_complete()?;
                // Objects end with their block, and a block is small or a single line. Blank lines make no
                // batch.
                if self.batch_bytes >= self.parser.wanted.limits.bytes
                    && let Some(batch) = self.flush()?
                {
                    return Ok(Some(batch));
                }
                self.taken = 0;
                if self.text.next_block()?.is_none() {
                    return self.flush();
                }
                self.parser.check_depth(self.text.block())?;
            }
            let count = self.parser.decode(&self.text.block()[self.taken..])?;
            self.taken += count;
            self.batch_bytes += count;
            // The parser stops early when the batch is full.
            if self.taken < self.text.block().len() {
                return self.flush();
            }
        }
    }

    fn flush(&mut self) -> Result<Option<RecordBatch>> {
        self.batch_bytes = 0;
        self.parser.flush()
    }

    /// The line, from 1, of the first invalid object, and its error.
    fn find(&self) -> Option<(u64, Error)> {
        let mut lines = LineFinder::new(&self.piece);
        for row in self.rows.. {
            let (number, line) = lines.line(row)?;
            let mut parser = Parser::new(&self.piece, &self.parser.wanted, 1).ok()?;
            if let Err(error) = parser.parse_line(line) {
                return Some((number, error));
            }
        }
        None
    }
}

impl Batches for JsonBatches {
    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        match self.read() {
            Ok(batch) => {
                self.rows += batch.as_ref().map_or(0, |batch| batch.num_rows() as u64);
                Ok(batch)
            }
            Err(error) => Err(match self.find() {
                Some((line, error)) => error.at("line", line),
                None => error,
            }),
        }
    }

    fn bytes_read(&self) -> u64 {
        self.text.bytes_read()
    }

    fn places(&self) -> Places {
        let mut lines = LineFinder::new(&self.piece);
        Places { unit: "line", find: Box::new(move |row| lines.line(row).map(|(number, _)| number)) }
    }
}

/// Parses text into batches of the row type.
struct Parser {
    file: String,
    wanted: Wanted,
    decoder: Decoder,
    adapter: Adapter,
}

impl Parser {
    fn new(piece: &Piece, wanted: &Wanted, batch_rows: usize) -> Result<Parser> {
        let schema = spelled(wanted, &piece.address)?;
        let adapter = Adapter::parsing(wanted, &piece.address, &schema)?;
        let decoder = ReaderBuilder::new(schema)
            .with_batch_size(batch_rows)
            .with_coerce_primitive(true)
            .build_decoder()
            .map_err(|e| Error::config("a column cannot be read from JSON").because(e))?;
        Ok(Parser { file: piece.address.clone(), wanted: wanted.clone(), decoder, adapter })
    }

    fn decode(&mut self, text: &[u8]) -> Result<usize> {
        let count = guarded(&self.file, || self.decoder.decode(text))?;
        count.map_err(|e| self.explain(&e))
    }

    fn flush(&mut self) -> Result<Option<RecordBatch>> {
        let batch = guarded(&self.file, || self.decoder.flush())?;
        let Some(batch) = batch.map_err(|e| self.explain(&e))? else { return Ok(None) };
        self.adapter.adapt(&batch, |_| None).map(Some)
    }

    fn parse_line(&mut self, line: &[u8]) -> Result<()> {
        self.check_depth(line)?;
        let mut text = line;
        while !text.is_empty() {
            let count = self.decode(text)?;
            text = &text[count..];
            if !text.is_empty() {
                self.flush()?;
            }
        }
        self.check_complete()?;
        self.flush()?;
        Ok(())
    }

    /// Fails if the text ends in the middle of an object.
    fn check_complete(&self) -> Result<()> {
        if self.decoder.has_partial_record() {
            let error = Error::data("an object does not end on its line").at("file", &self.file);
            return Err(error.help("the file must hold one JSON object a line"));
        }
        Ok(())
    }

    /// Fails if an object nests deeper than the parser can report.
    fn check_depth(&self, text: &[u8]) -> Result<()> {
        if nesting::is_too_deep(text) {
            let text = format!("an object nests more than {} levels deep", nesting::MAX_LEVELS);
            return Err(Error::data(text).at("file", &self.file));
        }
        Ok(())
    }

    fn explain(&self, error: &ArrowError) -> Error {
        let text = match error {
            ArrowError::JsonError(text) => text.clone(),
            other => other.to_string(),
        };
        Error::data(format!("an object cannot be read: {text}")).at("file", &self.file)
    }
}

/// Runs the decoder and returns its own error unchanged.
fn guarded<T>(file: &str, body: impl FnOnce() -> Result<T, ArrowError>) -> Result<Result<T, ArrowError>> {
    decoding(WHAT, file, || Ok::<_, Infallible>(body()))
}

/// The columns for the parser: all are nullable, and those that it would not read exactly are text.
fn spelled(wanted: &Wanted, file: &str) -> Result<SchemaRef> {
    let names = wanted.names_in_files(file)?;
    let fields = wanted.schema.fields().iter().filter(|field| names.contains(field.name()));
    Ok(Arc::new(Schema::new(fields.map(spelled_field).collect::<Fields>())))
}

fn spelled_field(field: &FieldRef) -> FieldRef {
    let data_type = match field.data_type() {
        DataType::Dictionary(_, values) => (**values).clone(),
        data_type if data_type.is_integer() || is_spelled(data_type) => DataType::Utf8,
        DataType::List(item) => DataType::List(spelled_field(item)),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(spelled_field).collect()),
        DataType::Map(entry, is_sorted) => DataType::Map(spelled_entry(entry), *is_sorted),
        other => other.clone(),
    };
    Arc::new(Field::new(field.name(), data_type, true))
}

/// The same for the entries of a map, which are never null, and neither are their keys.
fn spelled_entry(entry: &FieldRef) -> FieldRef {
    let DataType::Struct(fields) = entry.data_type() else { return Arc::clone(entry) };
    let spelled = |(at, field)| Arc::unwrap_or_clone(spelled_field(field)).with_nullable(at > 0);
    let fields: Fields = fields.iter().enumerate().map(spelled).collect();
    Arc::new(Field::new(entry.name(), DataType::Struct(fields), false))
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;
    use arrow::datatypes::Int64Type;

    use super::*;

    #[test]
    fn pieces_cut_anywhere_give_every_object_once_with_its_line() {
        let text = "{\"value\":1}\n\n{\"value\":22}\n  \n{\"value\":333}";
        let folder = tempfile::tempdir().unwrap();
        let address = folder.path().join("a.json").display().to_string();
        std::fs::write(&address, text).unwrap();
        let size = text.len() as u64;
        let wanted = Wanted::of::<i64>(false, 10);
        for cut in 0..=size {
            let (mut values, mut lines) = (Vec::new(), Vec::new());
            for (start, end) in [(0, cut), (cut, size)] {
                let piece = Piece { start, end, ..Piece::whole(&address, size) };
                let mut batches = JsonBatches::open(&piece, &wanted).unwrap();
                while let Some(batch) = batches.next_batch().unwrap() {
                    values.extend_from_slice(batch.column(0).as_primitive::<Int64Type>().values());
                    lines.extend((0..batch.num_rows() as u64).map(|row| batches.places().of(row).unwrap().1));
                }
            }
            assert_eq!((values, lines), (vec![1, 22, 333], vec![1, 3, 5]), "cut at byte {cut}");
        }
    }
}
