//! CSV as an output writes it: RFC 4180, fields in quotes where they need them, lines end in `\n`.
//!
//! A null is an empty field and an empty text is `""`, as Spark, DuckDB and Polars write them: who reads
//! it can tell them apart. Where the job names a text for nulls, no value may be that text, because a reader takes
//! it for a null, in quotes or not. Which types a column may have is checked elsewhere (`layout`).

use arrow::array::{Array, RecordBatch};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use memchr::{memchr_iter, memchr3};

use crate::error::{Error, Result};
use crate::source::BYTE_ORDER_MARK;

/// Rows as CSV.
pub struct Csv {
    /// Whether the line of column names is still to come.
    pub header: bool,
    pub delimiter: u8,
    pub quote: u8,
    /// The text of a null; an empty field unless it is given.
    pub null: Option<String>,
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
                if values.is_null(row) {
                    self.put_null(columns.len(), lines);
                    continue;
                }
                text.clear();
                column.value(row).write(&mut text).map_err(failed)?;
                if self.is_null_text(&text) {
                    return Err(reads_as_null(&text, batch.schema_ref().field(at).name()));
                }
                self.put(&text, lines);
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

    fn is_null_text(&self, text: &str) -> bool {
        !text.is_empty() && self.null.as_deref() == Some(text)
    }

    /// Appends a null of a row of so many columns.
    fn put_null(&self, columns: usize, lines: &mut Vec<u8>) {
        match self.null.as_deref().unwrap_or_default() {
            // An empty line is no record.
            "" if columns > 1 => {}
            null => self.put(null, lines),
        }
    }

    fn put(&self, text: &str, lines: &mut Vec<u8>) {
        let bytes = text.as_bytes();
        // A reader drops a byte order mark at the start of the file, but not in quotes.
        let is_plain = !bytes.is_empty()
            && memchr3(self.quote, b'\n', b'\r', bytes).is_none()
            && !bytes.contains(&self.delimiter)
            && !bytes.starts_with(BYTE_ORDER_MARK);
        if is_plain {
            return lines.extend_from_slice(bytes);
        }
        lines.push(self.quote);
        let mut start = 0;
        for quote in memchr_iter(self.quote, bytes) {
            lines.extend_from_slice(&bytes[start..=quote]);
            // The second of two begins the next part.
            start = quote;
        }
        lines.extend_from_slice(&bytes[start..]);
        lines.push(self.quote);
    }
}

fn reads_as_null(text: &str, column: &str) -> Error {
    let error = Error::data(format!("the value `{text}` is also the text of a null")).at("column", column);
    error.help("it would be read as a null: give `null_value` another text")
}
