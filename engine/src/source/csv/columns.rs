//! The columns of one CSV file: their names, the types they are parsed as, and what is done about
//! empty fields.
//!
//! The header, or the row type where there is none, enters; a schema for the parser and an [`Adapter`]
//! leave. Columns that nobody wants are never parsed.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::csv::reader::Format;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::{CsvFormat, WHAT};
use crate::error::{Error, Result};
use crate::source::adapt::{Adapter, Wanted, match_columns};
use crate::source::blocks::TextBlocks;
use crate::source::guard::decoding;
use crate::source::split::Piece;

/// What is known of a file's columns.
pub(super) struct CsvColumns {
    /// All columns, with the types as which the wanted ones are parsed.
    schema: SchemaRef,
    adapter: Adapter,
    /// The wanted columns that are in the file, in its order.
    projected: Vec<Field>,
}

impl CsvColumns {
    /// Reads the header of the file of `piece` and finds the wanted columns.
    pub(super) fn find(piece: &Piece, wanted: &Wanted, format: CsvFormat) -> Result<CsvColumns> {
        let names =
            if format.header { header(piece, format)? } else { wanted.names_in_files(&piece.address)? };
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
        let adapter = Adapter::new(wanted, &piece.address, &schema)?;
        let mut projected = Vec::new();
        for &at in adapter.projection() {
            let field = wanted.schema.fields().iter().zip(&matched).find(|(_, found)| **found == Some(at));
            let nullable = field.is_none_or(|(field, _)| field.is_nullable());
            projected.push(schema.field(at).clone().with_nullable(nullable));
        }
        Ok(CsvColumns { schema, adapter, projected })
    }

    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    pub(super) fn adapter(&self) -> &Adapter {
        &self.adapter
    }

    /// The name of a column of the file.
    pub(super) fn name(&self, at: usize) -> Option<&str> {
        self.schema.fields().get(at).map(|field| field.name().as_str())
    }

    /// The batch with `""` where a `String` that is no `Option` is empty.
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

    /// The first empty field of a column that may not be empty, with its row.
    pub(super) fn missing_value(&self, batch: &RecordBatch) -> Option<(usize, Error)> {
        let columns = self.projected.iter().zip(batch.columns());
        let empty = columns.filter(|(field, column)| !field.is_nullable() && column.null_count() > 0);
        let first = |(field, column): (&Field, &ArrayRef)| {
            let row = (0..column.len()).find(|row| column.is_null(*row))?;
            let error = Error::data(format!("a field is empty, expected {}", field.data_type()));
            Some((row, error.at("column", field.name()).help("a field that may be empty is an `Option`")))
        };
        empty.filter_map(first).min_by_key(|(row, _)| *row)
    }
}

/// The names in the first record.
fn header(piece: &Piece, format: CsvFormat) -> Result<Vec<String>> {
    let whole = Piece { start: 0, end: piece.size, ..piece.clone() };
    let mut text = TextBlocks::open(&whole)?;
    let Some(block) = text.next_block()? else { return Ok(Vec::new()) };
    let reader = Format::default().with_header(true).with_delimiter(format.delimiter);
    let (schema, _) = decoding(WHAT, &piece.address, || reader.infer_schema(block.as_bytes(), Some(0)))?;
    Ok(schema.fields().iter().map(|field| field.name().clone()).collect())
}

/// The column `found` as the parser must read it to give `field`.
fn parsed(field: &Field, found: &Field) -> Result<Field> {
    use DataType::*;
    let data_type = match field.data_type() {
        Dictionary(_, values) => (**values).clone(),
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
