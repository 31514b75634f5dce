//! The columns of one CSV file: their names, the types they are parsed as, and the handling of empty fields.
//!
//! The names come from the header, or from the row type if there is none. The result is a schema for the
//! parser and an [`Adapter`]. Columns that are not wanted are never parsed. A column that the parser would
//! not read exactly (`spelled`) is read as text.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::csv::ReaderBuilder;
use arrow::csv::reader::{Decoder, Format};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use regex::Regex;

use super::quoting::{QuoteScanner, is_line_end};
use super::{CsvFormat, WHAT, misquoted};
use crate::error::{Error, Result};
use crate::row::BatchLimits;
use crate::source::adapt::{Adapter, Wanted, match_columns};
use crate::source::blocks::TextBlocks;
use crate::source::guard::decoding;
use crate::source::spelled::is_spelled;
use crate::source::split::Piece;

/// The memory that arrow-csv allocates per field of a batch: an offset, and the bytes that it expects.
const FIELD_BYTES: usize = 16;

/// The columns of a file.
pub(super) struct CsvColumns {
    /// All columns; the wanted ones have the types as which they are parsed.
    schema: SchemaRef,
    adapter: Adapter,
    /// The wanted columns that are in the file, in the file's order, with the types of the row.
    projected: Vec<Field>,
    /// Matches the fields that are null, unless only empty ones are.
    null: Option<Regex>,
}

impl CsvColumns {
    /// Reads the header of the file of `piece` and finds the wanted columns.
    pub(super) fn find(piece: &Piece, wanted: &Wanted, format: &CsvFormat) -> Result<CsvColumns> {
        // A file without records has no rows, so it needs no header.
        let header = if format.header { header(piece, format)? } else { None };
        let names = header.map_or_else(|| wanted.names_in_files(&piece.address), Ok)?;
        let texts = names.iter().map(|name| Field::new(name, DataType::Utf8, true));
        let mut fields: Vec<Field> = texts.collect();
        let matched = match_columns(wanted, &Schema::new(fields.clone()));
        let matched = matched.map_err(|e| e.at("file", &piece.address))?;
        for (field, at) in wanted.schema.fields().iter().zip(&matched) {
            if let Some(at) = *at {
                fields[at] = parsed(field, &fields[at])?;
            }
        }
        let schema = Arc::new(Schema::new(fields));
        let adapter = Adapter::parsing(wanted, &piece.address, &schema)?;
        let mut projected = Vec::new();
        for &at in adapter.projection() {
            let field = wanted.schema.fields().iter().zip(&matched).find(|(_, found)| **found == Some(at));
            let field = field.map_or_else(|| schema.field(at), |(field, _)| field);
            projected.push(field.clone().with_name(schema.field(at).name()));
        }
        let null = format.null_value.as_deref().map(null_pattern).transpose()?;
        Ok(CsvColumns { schema, adapter, projected, null })
    }

    /// A parser of these columns, from the start of a record on.
    ///
    /// It allocates memory for each field of a batch, including columns that are not wanted, before it reads
    /// the first record.
    pub(super) fn decoder(&self, format: &CsvFormat, has_header: bool, limits: BatchLimits) -> Decoder {
        let batch_rows = limits.rows_of(self.schema.fields().len() * FIELD_BYTES);
        let reader = ReaderBuilder::new(Arc::clone(&self.schema));
        let reader = match &self.null {
            Some(null) => reader.with_null_regex(null.clone()),
            None => reader,
        };
        reader
            .with_delimiter(format.delimiter)
            .with_quote(format.quote)
            .with_header(has_header)
            .with_batch_size(batch_rows)
            .with_projection(self.adapter.projection().to_vec())
            .build_decoder()
    }

    pub(super) fn adapter(&self) -> &Adapter {
        &self.adapter
    }

    /// The name of a column of the file.
    pub(super) fn name(&self, at: usize) -> Option<&str> {
        self.schema.fields().get(at).map(|field| field.name().as_str())
    }

    /// Replaces nulls by `""` in columns of `String`s that are not `Option`s.
    pub(super) fn with_empty_strings(&self, batch: RecordBatch) -> Result<RecordBatch> {
        let is_text = |field: &Field| *field.data_type() == DataType::Utf8 && !field.is_nullable();
        if !self.projected.iter().any(is_text) {
            return Ok(batch);
        }
        let (schema, mut columns, _) = batch.into_parts();
        for (field, column) in self.projected.iter().zip(&mut columns) {
            if is_text(field) && column.null_count() > 0 {
                let (offsets, bytes, _) = column.as_string::<i32>().clone().into_parts();
                *column = Arc::new(StringArray::try_new(offsets, bytes, None)?) as ArrayRef;
            }
        }
        Ok(RecordBatch::try_new(schema, columns)?)
    }

    /// The error for an empty field in a column that must have values, if there is one.
    pub(super) fn missing_value(&self, batch: &RecordBatch) -> Option<Error> {
        let mut columns = self.projected.iter().zip(batch.columns());
        let (field, _) = columns.find(|(field, column)| !field.is_nullable() && column.null_count() > 0)?;
        let error = Error::data(format!("a field is empty, expected {}", field.data_type()));
        Some(error.at("column", field.name()).help("a field that may be empty is an `Option`"))
    }
}

/// Matches an empty field and one that equals `null`.
fn null_pattern(null: &str) -> Result<Regex> {
    let pattern = format!("^(?:{})?$", regex::escape(null));
    Regex::new(&pattern).map_err(|e| Error::config("the null value cannot be looked for").because(e))
}

/// The names in the first record; `None` if the file has no record.
fn header(piece: &Piece, format: &CsvFormat) -> Result<Option<Vec<String>>> {
    let record = first_record(piece, format)?;
    if record.is_empty() {
        return Ok(None);
    }
    let reader =
        Format::default().with_header(true).with_delimiter(format.delimiter).with_quote(format.quote);
    let (schema, _) = decoding(WHAT, &piece.address, || reader.infer_schema(&record[..], Some(0)))?;
    Ok(Some(schema.fields().iter().map(|field| field.name().clone()).collect()))
}

/// The text of the first record, possibly with more after it; empty if the file has no record.
fn first_record(piece: &Piece, format: &CsvFormat) -> Result<Vec<u8>> {
    let whole = Piece { start: 0, end: piece.size, ..piece.clone() };
    let mut text = TextBlocks::open(&whole)?;
    let (mut quotes, mut record) = (None, Vec::new());
    loop {
        let mut position = text.position();
        let Some(block) = text.next_block()? else { break };
        let mut block = block.as_bytes();
        if record.is_empty() {
            let blank = block.iter().take_while(|byte| is_line_end(**byte)).count();
            (block, position) = (&block[blank..], position + blank as u64);
        }
        let quotes = quotes.get_or_insert_with(|| QuoteScanner::new(format, position));
        quotes.feed(block);
        record.extend_from_slice(block);
        if quotes.line_end().is_some() || quotes.fault().is_some() {
            break;
        }
    }
    let Some(mut quotes) = quotes else { return Ok(record) };
    let end = quotes.line_end();
    if end.is_none() {
        quotes.finish();
    }
    match quotes.fault().filter(|fault| end.is_none_or(|end| fault.opened < end)) {
        Some(fault) => Err(misquoted(fault, piece, text.byte())),
        None => Ok(record),
    }
}

/// The type with which the parser must read the column `found`, to convert it to `field`.
fn parsed(field: &Field, found: &Field) -> Result<Field> {
    use DataType::*;
    let data_type = match field.data_type() {
        Dictionary(_, values) => (**values).clone(),
        spelled if is_spelled(spelled) => Utf8,
        other => other.clone(),
    };
    let can_parse = data_type.is_numeric()
        || matches!(data_type, Boolean | Utf8 | Date32 | Date64 | Time32(_) | Time64(_) | Timestamp(..));
    if !can_parse {
        let error = Error::config(format!("a column of a CSV file cannot be {}", field.data_type()));
        return Err(error.at("column", field.name()).help("read it as a `String` and convert it in `map`"));
    }
    Ok(Field::new(found.name(), data_type, true))
}
