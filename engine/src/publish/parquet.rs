//! One Parquet file of an output, written by one attempt at one partition.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::Part;
use crate::error::{Error, Result};

/// A file that is being written.
pub struct ParquetPart {
    writer: ArrowWriter<File>,
    staged: String,
    name: String,
    rows: u64,
}

impl ParquetPart {
    /// Starts the file `staged` in `folder`; it will be published as `name`.
    pub fn create(folder: &Path, staged: String, name: String, schema: SchemaRef) -> Result<ParquetPart> {
        let path = folder.join(&staged);
        let file = File::create_new(&path)
            .map_err(|e| Error::io("cannot write a part of the output", e).at("file", path.display()))?;
        let writer = ArrowWriter::try_new(file, schema, Some(properties())).map_err(failed)?;
        Ok(ParquetPart { writer, staged, name, rows: 0 })
    }

    /// Adds rows.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.rows += batch.num_rows() as u64;
        self.writer.write(batch).map_err(failed)
    }

    /// Ends the file; it is on disk when this returns.
    pub fn finish(self) -> Result<Part> {
        let mut file = self.writer.into_inner().map_err(failed)?;
        let synced = file.flush().and_then(|()| file.sync_all()).and_then(|()| file.metadata());
        let bytes = synced.map_err(|e| Error::io("cannot finish a part of the output", e))?.len();
        Ok(Part { staged: self.staged, name: self.name, rows: self.rows, bytes })
    }
}

/// The same rows make the same bytes: nothing in a file tells when or by whom it was written.
fn properties() -> WriterProperties {
    WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_created_by(concat!("kiln ", env!("CARGO_PKG_VERSION")).to_owned())
        .build()
}

fn failed(error: ParquetError) -> Error {
    match error {
        ParquetError::External(inner) => match inner.downcast::<std::io::Error>() {
            Ok(io) => Error::io("cannot write a part of the output", *io),
            Err(other) => Error::bug(format!("a Parquet file cannot be written: {other}")),
        },
        other => Error::bug("a Parquet file cannot be written").because(other),
    }
}
