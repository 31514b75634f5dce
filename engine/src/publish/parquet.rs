//! A Parquet file of an output.

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::basic::{BrotliLevel, Compression as Codec, GzipLevel, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;

use super::layout::{Compression, Layout};
use super::place::{PartFile, failed};
use crate::error::{Error, Result};

/// Bytes of a row group, before compression, at most. A task whose share of the memory is smaller
/// ends its row groups earlier.
const GROUP_BYTES: usize = 128 << 20;

/// A file that is being written.
pub struct ParquetFile {
    writer: ArrowWriter<PartFile>,
    address: String,
}

impl ParquetFile {
    /// Begins a file of the columns `schema`, those that are `plain` without a dictionary.
    pub fn begin(
        file: PartFile,
        address: String,
        layout: &Layout,
        (schema, plain): (&SchemaRef, &[String]),
    ) -> Result<ParquetFile> {
        let properties = properties(layout, schema, plain);
        let writer = ArrowWriter::try_new(file, schema.clone(), Some(properties));
        Ok(ParquetFile { writer: writer.map_err(|e| broken(e, &address))?, address })
    }

    /// Adds rows.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.writer.write(batch).map_err(|e| broken(e, &self.address))
    }

    /// Ends the row group, so that its rows are in memory no more.
    pub fn end_group(&mut self) -> Result<()> {
        self.writer.flush().map_err(|e| broken(e, &self.address))
    }

    /// Whether a row group is begun.
    pub fn has_group(&self) -> bool {
        self.writer.in_progress_rows() > 0
    }

    /// Bytes that the file has, and those that its row group will add, roughly.
    pub fn written(&self) -> u64 {
        (self.writer.bytes_written() + self.writer.in_progress_size()) as u64
    }

    /// Bytes held in memory.
    pub fn held(&self) -> usize {
        self.writer.memory_size() + self.writer.inner().held()
    }

    /// Ends the file; gives its length in bytes.
    pub fn finish(self) -> Result<u64> {
        self.writer.into_inner().map_err(|e| broken(e, &self.address))?.close()
    }
}

/// The same rows make the same bytes: nothing in a file tells when or by whom it was written.
fn properties(layout: &Layout, schema: &Schema, plain: &[String]) -> WriterProperties {
    let sorting = layout.sorted_by.iter().filter_map(|name| sorting_column(schema, name)).collect();
    let all = plain.iter().fold(WriterProperties::builder(), |properties, name| {
        properties.set_column_dictionary_enabled(ColumnPath::from(vec![name.clone()]), false)
    });
    all.set_compression(codec(layout.compression()))
        .set_max_row_group_row_count(Some(layout.group_rows))
        .set_max_row_group_bytes(Some(GROUP_BYTES))
        .set_sorting_columns(if layout.sorted_by.is_empty() { None } else { Some(sorting) })
        .set_created_by(concat!("kiln ", env!("CARGO_PKG_VERSION")).to_owned())
        .build()
}

/// Parquet counts leaves, so that the columns of a column before it count, too.
fn sorting_column(schema: &Schema, name: &str) -> Option<SortingColumn> {
    let at = schema.index_of(name).ok()?;
    let before: usize = schema.fields()[..at].iter().map(|field| leaves(field.data_type())).sum();
    // Nulls first, as `None` is less than any value in Rust.
    Some(SortingColumn { column_idx: i32::try_from(before).ok()?, descending: false, nulls_first: true })
}

fn leaves(kind: &DataType) -> usize {
    match kind {
        DataType::Struct(fields) => fields.iter().map(|field| leaves(field.data_type())).sum(),
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            leaves(item.data_type())
        }
        DataType::Map(entries, _) => leaves(entries.data_type()),
        _ => 1,
    }
}

fn codec(compression: Compression) -> Codec {
    match compression {
        Compression::None => Codec::UNCOMPRESSED,
        Compression::Zstd => Codec::ZSTD(ZstdLevel::default()),
        Compression::Gzip => Codec::GZIP(GzipLevel::default()),
        Compression::Snappy => Codec::SNAPPY,
        Compression::Lz4 => Codec::LZ4_RAW,
        Compression::Brotli => Codec::BROTLI(BrotliLevel::default()),
    }
}

fn broken(error: ParquetError, address: &str) -> Error {
    match error {
        ParquetError::External(inner) => match inner.downcast::<std::io::Error>() {
            Ok(io) => failed(*io, address),
            Err(other) => Error::bug(format!("a Parquet file cannot be written: {other}")),
        },
        other => Error::bug("a Parquet file cannot be written").because(other).at("file", address),
    }
}
