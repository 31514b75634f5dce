//! Text as an output writes it: one row, one line.
//!
//! The text is written as it is: a row with line breaks in it makes several lines.

use arrow::array::{AsArray, RecordBatch};

use crate::error::{Error, Result};

/// Appends the rows to `lines`.
pub fn encode(batch: &RecordBatch, lines: &mut Vec<u8>) -> Result<()> {
    let column = batch.columns().first().and_then(|column| column.as_string_opt::<i32>());
    let column = column.ok_or_else(|| Error::bug("rows of text are not one column of text"))?;
    for row in column {
        lines.extend_from_slice(row.unwrap_or_default().as_bytes());
        lines.push(b'\n');
    }
    Ok(())
}
