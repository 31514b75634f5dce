//! Asks the crates that wrote the formats which columns a file has.
//!
//! A path enters; columns leave, or nothing where the file has none that these crates can find. What they say is
//! used as the row type alone: whether a file can be read is Kiln's answer.

use std::fs::File;
use std::io::{BufReader, Cursor};
use std::path::Path;
use std::sync::Arc;

use arrow::csv::reader::Format;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::ipc::reader::{FileReader, StreamReader};
use arrow::json::reader::infer_json_schema;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};

/// Records from which the types of text are told.
const RECORDS: usize = 100;

/// The columns of the Parquet file.
pub(crate) fn parquet(path: &Path) -> Option<Vec<Field>> {
    let metadata = ArrowReaderMetadata::load(&File::open(path).ok()?, ArrowReaderOptions::new()).ok()?;
    Some(fields(metadata.schema()))
}

/// The columns of the Arrow file, in the file or the stream format. That crate makes room for any length that
/// a file names, so here it is given only those that fit.
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

/// The columns of the CSV file, by its header and its first records.
pub(crate) fn csv(path: &Path) -> Option<Vec<Field>> {
    let format = Format::default().with_header(true);
    let mut columns = fields(&format.infer_schema(File::open(path).ok()?, Some(RECORDS)).ok()?.0);
    // A column of empty fields alone can be of any type.
    for column in columns.iter_mut().filter(|column| column.data_type().is_null()) {
        *column = Field::new(column.name(), DataType::Utf8, true);
    }
    Some(columns)
}

/// The columns of the file of JSON lines, by its first objects.
pub(crate) fn json(path: &Path) -> Option<Vec<Field>> {
    let file = BufReader::new(File::open(path).ok()?);
    Some(fields(&infer_json_schema(file, Some(RECORDS)).ok()?.0))
}

/// What a file is read as whose columns nobody knows.
pub(crate) fn unknown() -> Vec<Field> {
    vec![Field::new("value", DataType::Utf8, true)]
}

fn fields(schema: &Schema) -> Vec<Field> {
    schema.fields().iter().map(|field| Arc::unwrap_or_clone(Arc::clone(field))).collect()
}
