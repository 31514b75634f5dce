//! Reads the lines of a piece of a JSON file, one object each, as typed columns.
//!
//! A piece and the wanted columns enter, batches leave. Text comes in blocks of whole lines
//! (`blocks`); arrow-json parses them. It would make 1 of 1.5 where an integer is wanted, so integers are taken as they are
//! spelled and converted by the `adapt` of all formats. When something is wrong, the lines of the batch are read
//! again one by one to say which line it is. An object over several lines is refused where it crosses a
//! block, because such a file could not be cut.

use std::convert::Infallible;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::json::ReaderBuilder;
use arrow::json::reader::Decoder;

use super::adapt::{Adapter, Wanted};
use super::batches::Batches;
use super::blocks::TextBlocks;
use super::guard::decoding;
use super::lines::lines;
use super::split::Piece;
use crate::error::{Error, Result};

/// What messages call such a file.
const WHAT: &str = "JSON";

/// The objects of one piece.
pub struct JsonBatches {
    piece: Piece,
    text: TextBlocks,
    /// How much of the current block has been decoded.
    taken: usize,
    parser: Parser,
    /// Objects before the current batch.
    rows: u64,
}

impl JsonBatches {
    /// Opens the piece.
    ///
    /// # Errors
    /// When the file cannot be read, or JSON cannot hold a wanted column.
    pub fn open(piece: &Piece, wanted: &Wanted) -> Result<JsonBatches> {
        let (text, parser) = (TextBlocks::open(piece)?, Parser::new(piece, wanted, wanted.batch_rows)?);
        Ok(JsonBatches { piece: piece.clone(), text, taken: 0, parser, rows: 0 })
    }

    /// The next batch, or what is wrong with it, without its line.
    fn read(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if self.taken == self.text.block().len() {
                self.parser.check_complete()?;
                self.taken = 0;
                if self.text.next_block()?.is_none() {
                    return self.parser.flush();
                }
            }
            let count = self.parser.decode(&self.text.block()[self.taken..])?;
            self.taken += count;
            // It stops early when the batch is full.
            if self.taken < self.text.block().len() {
                return self.parser.flush();
            }
        }
    }

    /// The line, from 1, of the first object that cannot be read, and why.
    fn find(&self) -> Result<Option<(u64, Error)>> {
        let before = Piece { start: 0, end: self.piece.start, ..self.piece.clone() };
        let mut line_number = 0;
        let mut text = TextBlocks::open(&before)?;
        while let Some(block) = text.next_block()? {
            line_number += lines(block).count() as u64;
        }
        let (mut text, mut rows) = (TextBlocks::open(&self.piece)?, 0);
        while let Some(block) = text.next_block()? {
            for line in lines(block) {
                line_number += 1;
                let is_known = line.trim().is_empty() || rows < self.rows;
                rows += u64::from(!line.trim().is_empty());
                if is_known {
                    continue;
                }
                if let Err(error) = Parser::new(&self.piece, &self.parser.wanted, 1)?.parse_line(line) {
                    return Ok(Some((line_number, error)));
                }
            }
        }
        Ok(None)
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
                Ok(Some((line, error))) => error.at("line", line),
                _ => error,
            }),
        }
    }

    fn bytes_read(&self) -> u64 {
        self.text.bytes_read()
    }
}

/// Text in, batches of the row type out.
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

    fn parse_line(&mut self, line: &str) -> Result<()> {
        let mut text = line.as_bytes();
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

    /// Fails between two lines of one object.
    fn check_complete(&self) -> Result<()> {
        if self.decoder.has_partial_record() {
            let error = Error::data("an object does not end on its line").at("file", &self.file);
            return Err(error.help("the file must hold one JSON object a line"));
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

/// Runs the decoder; its own error is left as it is.
fn guarded<T>(file: &str, body: impl FnOnce() -> Result<T, ArrowError>) -> Result<Result<T, ArrowError>> {
    decoding(WHAT, file, || Ok::<_, Infallible>(body()))
}

/// The columns as the parser reads them: nothing must be there, and integers are text.
fn spelled(wanted: &Wanted, file: &str) -> Result<SchemaRef> {
    let names = wanted.names_in_files(file)?;
    let fields = wanted.schema.fields().iter().filter(|field| names.contains(field.name()));
    Ok(Arc::new(Schema::new(fields.map(spelled_field).collect::<Fields>())))
}

fn spelled_field(field: &FieldRef) -> FieldRef {
    let data_type = match field.data_type() {
        DataType::Dictionary(_, values) => (**values).clone(),
        data_type if data_type.is_integer() => DataType::Utf8,
        DataType::List(item) => DataType::List(spelled_field(item)),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(spelled_field).collect()),
        other => other.clone(),
    };
    // The entries of a map keep their own fields: their keys can never be missing.
    Arc::new(Field::new(field.name(), data_type, true))
}
