//! Text as an output writes it: one row, one line.
//!
//! The text is written as it is: a row with line breaks in it makes several lines. Readers drop a byte order
//! mark at the start of a file, so a file whose first row begins with that character gets a second one.

use arrow::array::{AsArray, RecordBatch};

use crate::error::{Error, Result};
use crate::source::BYTE_ORDER_MARK;

/// Rows as lines.
pub struct Text {
    /// Whether the next line is the first of its file.
    pub is_at_start: bool,
}

impl Text {
    /// Appends the rows to `lines`.
    pub fn encode(&mut self, batch: &RecordBatch, lines: &mut Vec<u8>) -> Result<()> {
        let column = batch.columns().first().and_then(|column| column.as_string_opt::<i32>());
        let column = column.ok_or_else(|| Error::bug("rows of text are not one column of text"))?;
        for row in column {
            let line = row.unwrap_or_default().as_bytes();
            if std::mem::take(&mut self.is_at_start) && line.starts_with(BYTE_ORDER_MARK) {
                lines.extend_from_slice(BYTE_ORDER_MARK);
            }
            lines.extend_from_slice(line);
            lines.push(b'\n');
        }
        Ok(())
    }
}
