//! CSV as an output writes it: RFC 4180, fields in quotes where they need them, lines end in `\n`.
//!
//! A null is an empty field. So is an empty text: CSV cannot tell them apart.

use arrow::array::RecordBatch;
use arrow::csv::WriterBuilder;

use crate::error::{Error, Result};

/// Rows as CSV.
pub struct Csv {
    /// Whether the line of column names is still to come.
    pub header: bool,
    pub delimiter: u8,
}

impl Csv {
    /// Appends the rows to `lines`.
    pub fn encode(&mut self, batch: &RecordBatch, lines: &mut Vec<u8>) -> Result<()> {
        let builder = WriterBuilder::new().with_header(self.header).with_delimiter(self.delimiter);
        let mut writer = builder.build(lines);
        let written = writer.write(batch);
        written.map_err(|e| Error::data("rows cannot be written as CSV").because(e))?;
        self.header = false;
        Ok(())
    }
}
