//! A file of lines: CSV, JSON or text, compressed or not.
//!
//! A batch becomes bytes in memory first and is written then, so that a disk that is full is told
//! from rows that cannot be encoded.

use std::io::{self, Write};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use flate2::write::GzEncoder;

use super::csv::Csv;
use super::json;
use super::layout::{Compression, Format, Layout};
use super::place::{PartFile, failed};
use super::text::Text;
use crate::error::{Error, Result};
use crate::source::MAX_LINE_BYTES;

/// What a compressor holds, roughly: Zstandard's window at its usual level.
const COMPRESSOR_BYTES: usize = 2 << 20;

/// A file that is being written.
pub struct LinesFile {
    to: Compressor,
    kind: Kind,
    buffer: Vec<u8>,
    address: String,
}

enum Kind {
    Csv(Csv),
    Json,
    Text(Text),
}

enum Compressor {
    None(PartFile),
    Gzip(GzEncoder<PartFile>),
    Zstd(zstd::Encoder<'static, PartFile>),
}

impl LinesFile {
    /// Begins a file of the columns `schema`.
    pub fn begin(file: PartFile, address: String, layout: &Layout, schema: &SchemaRef) -> Result<LinesFile> {
        let kind = match layout.format {
            Format::Csv { header, delimiter, quote } => {
                Kind::Csv(Csv { header, delimiter, quote, null: layout.null_value.clone() })
            }
            Format::Json => Kind::Json,
            Format::Text => Kind::Text(Text { is_at_start: true }),
            Format::Parquet => return Err(Error::bug("Parquet is not a format of lines")),
        };
        let to = match layout.compression() {
            Compression::Gzip => Compressor::Gzip(GzEncoder::new(file, flate2::Compression::default())),
            Compression::Zstd => {
                Compressor::Zstd(zstd::Encoder::new(file, 0).map_err(|e| failed(e, &address))?)
            }
            _ => Compressor::None(file),
        };
        let mut file = LinesFile { to, kind, buffer: Vec::new(), address };
        // Even a file without rows has its header.
        file.write(&RecordBatch::new_empty(schema.clone()))?;
        Ok(file)
    }

    /// Adds rows.
    ///
    /// # Errors
    /// Of class resource for a row that is longer than the lines that are read; else by the failing operation.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.buffer.clear();
        let encoded = match &mut self.kind {
            Kind::Csv(csv) => csv.encode(batch, &mut self.buffer),
            Kind::Json => json::encode(batch, &mut self.buffer),
            Kind::Text(text) => text.encode(batch, &mut self.buffer),
        };
        encoded.map_err(|e| e.at("file", &self.address))?;
        if self.buffer.len() > MAX_LINE_BYTES {
            // Which row it is, is found by writing them one by one; the lines of a text are its own.
            if batch.num_rows() > 1 {
                self.buffer = Vec::new();
                return (0..batch.num_rows()).try_for_each(|row| self.write(&batch.slice(row, 1)));
            }
            self.check_lines()?;
        }
        let written = match &mut self.to {
            Compressor::None(file) => file.write_all(&self.buffer),
            Compressor::Gzip(file) => file.write_all(&self.buffer),
            Compressor::Zstd(file) => file.write_all(&self.buffer),
        };
        written.map_err(|e| failed(e, &self.address))
    }

    /// Refuses the row in the buffer if it has a line that could not be read again.
    fn check_lines(&self) -> Result<()> {
        let longest = match self.kind {
            Kind::Text(_) => self.buffer.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::len).max(),
            Kind::Csv(_) | Kind::Json => Some(self.buffer.len()),
        };
        let longest = longest.unwrap_or_default();
        if longest <= MAX_LINE_BYTES {
            return Ok(());
        }
        let text = format!("a row makes a line of {longest} bytes, lines of {MAX_LINE_BYTES} are read");
        Err(Error::resource(text).at("file", &self.address).help("write such rows as Parquet"))
    }

    fn file(&self) -> &PartFile {
        match &self.to {
            Compressor::None(file) => file,
            Compressor::Gzip(file) => file.get_ref(),
            Compressor::Zstd(file) => file.get_ref(),
        }
    }

    /// Bytes that the file has so far.
    pub fn written(&self) -> u64 {
        self.file().written()
    }

    /// Bytes held in memory.
    pub fn held(&self) -> usize {
        let compressor = if matches!(self.to, Compressor::None(_)) { 0 } else { COMPRESSOR_BYTES };
        self.buffer.capacity() + compressor + self.file().held()
    }

    /// Ends the file; gives its length in bytes.
    pub fn finish(self) -> Result<u64> {
        let file: io::Result<PartFile> = match self.to {
            Compressor::None(file) => Ok(file),
            Compressor::Gzip(file) => file.finish(),
            Compressor::Zstd(file) => file.finish(),
        };
        file.map_err(|e| failed(e, &self.address))?.close()
    }
}
