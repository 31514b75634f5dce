//! One file of a task: rows enter, whole batches or some rows of one, and are encoded as its format says.
//!
//! When a file begins and ends, and which rows are its own, `parts` decides.

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::SchemaRef;
use serde::{Deserialize, Serialize};

use super::layout::{Format, Layout};
use super::lines::LinesFile;
use super::parquet::ParquetFile;
use super::place::Place;
use super::sorted::Sorted;
use crate::error::Result;

/// One file that a task has written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputFile {
    /// Its name in the staging folder, with the attempt in it.
    pub staged: String,
    /// Its path in the output: `part-00003.parquet`, `day=7/part-00003-1.parquet`.
    pub name: String,
    /// Rows.
    pub rows: u64,
    /// Bytes.
    pub bytes: u64,
}

/// A file that takes rows.
pub(super) struct PartFile {
    encoder: Encoder,
    part: OutputFile,
    sorted: Option<Sorted>,
    /// Rows of the batch at hand that belong to it.
    pending: Vec<u32>,
}

enum Encoder {
    Parquet(Box<ParquetFile>),
    Lines(Box<LinesFile>),
}

impl PartFile {
    /// A file of the columns `schema`, some of them `plain`: without a dictionary, if the format has any.
    /// It is `staged` under one name and published under another.
    pub(super) fn begin(
        place: &Place,
        layout: &Layout,
        (schema, plain): (&SchemaRef, &[String]),
        staged: String,
        name: String,
    ) -> Result<PartFile> {
        let file = place.create(&staged)?;
        let encoder = match layout.format {
            Format::Parquet => {
                Encoder::Parquet(Box::new(ParquetFile::begin(file, name.clone(), layout, (schema, plain))?))
            }
            _ => Encoder::Lines(Box::new(LinesFile::begin(file, name.clone(), layout, schema)?)),
        };
        let part = OutputFile { staged, name, rows: 0, bytes: 0 };
        Ok(PartFile { encoder, part, sorted: Sorted::new(layout, schema)?, pending: Vec::new() })
    }

    /// Adds one row of the batch at hand, which [`write_pending`](PartFile::write_pending) will be given.
    #[inline]
    pub(super) fn add(&mut self, at: usize) {
        self.pending.push(at as u32);
        self.part.rows += 1;
    }

    /// Adds a batch.
    pub(super) fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        self.part.rows += rows.num_rows() as u64;
        self.encode(rows)
    }

    /// Writes the rows of this batch that were found to belong here; they are counted already.
    pub(super) fn write_pending(&mut self, rows: &RecordBatch) -> Result<()> {
        match self.pending.len() {
            0 => return Ok(()),
            all if all == rows.num_rows() => self.encode(rows)?,
            _ => {
                let indices = UInt32Array::from(std::mem::take(&mut self.pending));
                self.encode(&take_record_batch(rows, &indices)?)?;
            }
        }
        self.pending.clear();
        Ok(())
    }

    fn encode(&mut self, rows: &RecordBatch) -> Result<()> {
        if let Some(sorted) = &mut self.sorted {
            sorted.check(rows).map_err(|e| e.at("file", &self.part.name))?;
        }
        match &mut self.encoder {
            Encoder::Parquet(file) => file.write(rows),
            Encoder::Lines(file) => file.write(rows),
        }
    }

    /// Rows, those that are pending included.
    pub(super) fn rows(&self) -> u64 {
        self.part.rows
    }

    /// Bytes held in memory.
    pub(super) fn held(&self) -> usize {
        match &self.encoder {
            Encoder::Parquet(file) => file.held(),
            Encoder::Lines(file) => file.held(),
        }
    }

    /// Bytes in the file so far.
    pub(super) fn written(&self) -> u64 {
        match &self.encoder {
            Encoder::Parquet(file) => file.written(),
            Encoder::Lines(file) => file.written(),
        }
    }

    /// Writes the row group that is under way, which frees memory. Not every file has one.
    pub(super) fn end_group(&mut self) -> Result<bool> {
        match &mut self.encoder {
            Encoder::Parquet(file) if file.has_group() => file.end_group().map(|()| true),
            _ => Ok(false),
        }
    }

    /// Ends the file.
    pub(super) fn finish(self) -> Result<OutputFile> {
        let bytes = match self.encoder {
            Encoder::Parquet(file) => file.finish()?,
            Encoder::Lines(file) => file.finish()?,
        };
        Ok(OutputFile { bytes, ..self.part })
    }
}
