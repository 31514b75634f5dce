//! The columns of a file, as found by the reference crate of each format.
//!
//! Returns `None` if the crate finds no columns. The result is used only as the row type; whether a
//! file can be read is up to Kiln.

use std::fs::File;
use std::io::{BufReader, Cursor};
use std::path::Path;
use std::sync::Arc;

use arrow::csv::reader::Format;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::ipc::reader::{FileReader, StreamReader};
use arrow::json::reader::infer_json_schema;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};

/// Number of records from which the types of text formats are inferred.
const RECORDS: usize = 100;

/// The columns of a Parquet file.
pub(crate) fn parquet(path: &Path) -> Option<Vec<Field>> {
    let metadata = ArrowReaderMetadata::load(&File::open(path).ok()?, ArrowReaderOptions::new()).ok()?;
    Some(fields(metadata.schema()))
}

/// The columns of an Arrow file, in the file or the stream format. The crate allocates any length that
/// a file declares, so it only gets files whose declared lengths fit.
pub(crate) fn arrow(path: &Path) -> Option<Vec<Field>> {
    let bytes = std::fs::read(path).ok()?;
    let word = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    if bytes.starts_with(b"ARROW1") {
        let footer_bytes = word(bytes.len().checked_sub(10)?)? as usize;
        let file = Cursor::new(&bytes);
        return (footer_bytes < bytes.len())
            .then(|| FileReader::try_new(file, None).ok())?
            .map(|r| fields(&r.schema()));
    }
    let metadata_bytes = if word(0)? == u32::MAX { word(4)? } else { word(0)? } as usize;
    if metadata_bytes > bytes.len() {
        return None;
    }
    Some(fields(&StreamReader::try_new(Cursor::new(&bytes), None).ok()?.schema()))
}

/// The columns of a CSV file, from its header and its first records.
pub(crate) fn csv(path: &Path) -> Option<Vec<Field>> {
    let format = Format::default().with_header(true);
    let mut columns = fields(&format.infer_schema(File::open(path).ok()?, Some(RECORDS)).ok()?.0);
    // A column with only empty fields can have any type.
    for column in columns.iter_mut().filter(|column| column.data_type().is_null()) {
        *column = Field::new(column.name(), DataType::Utf8, true);
    }
    Some(columns)
}

/// The columns of a file of JSON lines, from its first objects.
pub(crate) fn json(path: &Path) -> Option<Vec<Field>> {
    let file = BufReader::new(File::open(path).ok()?);
    Some(fields(&infer_json_schema(file, Some(RECORDS)).ok()?.0))
}

/// The columns for files whose columns are unknown.
pub(crate) fn unknown() -> Vec<Field> {
    vec![Field::new("value", DataType::Utf8, true)]
}

fn fields(schema: &Schema) -> Vec<Field> {
    schema.fields().iter().map(|field| Arc::unwrap_or_clone(Arc::clone(field))).collect()
}
