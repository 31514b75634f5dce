//! CSV as an output writes it: RFC 4180, fields in quotes where they need them, lines end in `\n`.
//!
//! A null is an empty field and an empty text is `""`, as Spark, DuckDB and Polars write them: who reads
//! it can tell them apart. Which types a column may have is checked elsewhere (`layout`).

use arrow::array::{Array, RecordBatch};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use memchr::memchr3;

use crate::error::{Error, Result};

const QUOTE: u8 = b'"';

/// Rows as CSV.
pub struct Csv {
    /// Whether the line of column names is still to come.
    pub header: bool,
    pub delimiter: u8,
}

impl Csv {
    /// Appends the rows to `lines`.
    pub fn encode(&mut self, batch: &RecordBatch, lines: &mut Vec<u8>) -> Result<()> {
        if std::mem::take(&mut self.header) {
            for (at, field) in batch.schema_ref().fields().iter().enumerate() {
                self.separate(at, lines);
                self.put(field.name(), lines);
            }
            lines.push(b'\n');
        }
        let failed = |e| Error::data("rows cannot be written as CSV").because(e);
        let options = FormatOptions::new();
        let columns = batch.columns().iter().map(|column| ArrayFormatter::try_new(column.as_ref(), &options));
        let columns = columns.collect::<Result<Vec<_>, _>>().map_err(failed)?;
        let mut text = String::new();
        for row in 0..batch.num_rows() {
            for (at, (column, values)) in columns.iter().zip(batch.columns()).enumerate() {
                self.separate(at, lines);
                if !values.is_null(row) {
                    text.clear();
                    column.value(row).write(&mut text).map_err(failed)?;
                    self.put(&text, lines);
                } else if columns.len() == 1 {
                    // An empty line is no record.
                    self.put("", lines);
                }
            }
            lines.push(b'\n');
        }
        Ok(())
    }

    fn separate(&self, at: usize, lines: &mut Vec<u8>) {
        if at > 0 {
            lines.push(self.delimiter);
        }
    }

    fn put(&self, text: &str, lines: &mut Vec<u8>) {
        let bytes = text.as_bytes();
        let is_plain = !bytes.is_empty()
            && memchr3(QUOTE, b'\n', b'\r', bytes).is_none()
            && !bytes.contains(&self.delimiter);
        if is_plain {
            return lines.extend_from_slice(bytes);
        }
        lines.push(QUOTE);
        for (at, piece) in text.split('"').enumerate() {
            if at > 0 {
                lines.extend_from_slice(&[QUOTE, QUOTE]);
            }
            lines.extend_from_slice(piece.as_bytes());
        }
        lines.push(QUOTE);
    }
}
