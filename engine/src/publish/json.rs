//! JSON lines as an output writes them: one object a row, without the fields that are null.

use arrow::array::RecordBatch;
use arrow::json::LineDelimitedWriter;

use crate::error::{Error, Result};

/// Appends the rows to `lines`.
pub fn encode(batch: &RecordBatch, lines: &mut Vec<u8>) -> Result<()> {
    let mut writer = LineDelimitedWriter::new(lines);
    let written = writer.write(batch).and_then(|()| writer.finish());
    written.map_err(|e| Error::data("rows cannot be written as JSON").because(e))
}
