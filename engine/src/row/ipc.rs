//! Rows in the Arrow IPC stream format, for rows that are parameters of an operator.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;

use super::{ColumnBuilder, Row, RowReader, to_batch};
use crate::error::{Error, Result};

/// Upper limit of the size of a batch: Arrow's offsets are 32 bits wide.
const MAX_BATCH_BYTES: usize = 1 << 30;

/// `rows` as one batch.
///
/// # Errors
/// Fails with a config error when they are too large for one batch.
pub fn batch_of<'a, T: Row>(rows: impl Iterator<Item = &'a T>) -> Result<RecordBatch> {
    let mut builder = T::Builder::default();
    for row in rows {
        builder.push(row.view());
        if builder.size_bytes() > MAX_BATCH_BYTES {
            let text = format!("rows of the driver's are larger than {MAX_BATCH_BYTES} bytes");
            return Err(Error::config(text).help("write them to a file and read that"));
        }
    }
    to_batch::<T>(&mut builder)
}

/// A batch as bytes.
pub fn to_bytes(batch: &RecordBatch) -> Result<Vec<u8>> {
    let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema())?;
    writer.write(batch)?;
    Ok(writer.into_inner()?)
}

/// Decodes the batches that [`to_bytes`] encoded.
pub fn from_bytes(bytes: &[u8]) -> Result<Vec<RecordBatch>> {
    Ok(StreamReader::try_new(bytes, None)?.collect::<Result<_, _>>()?)
}

/// The schema of what [`to_bytes`] encoded.
pub fn schema_of(bytes: &[u8]) -> Result<SchemaRef> {
    Ok(StreamReader::try_new(bytes, None)?.schema())
}

/// The rows of `batches`, owned.
pub fn rows_of<T: Row>(batches: &[RecordBatch]) -> Result<Vec<T>> {
    let mut rows = Vec::with_capacity(batches.iter().map(RecordBatch::num_rows).sum());
    for batch in batches {
        rows.extend(RowReader::<T>::open(batch)?.iter().map(T::own));
    }

    Ok(rows)
}
