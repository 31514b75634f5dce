//! Writes the files that the tests read.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::ipc::CompressionType;
use arrow::ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};
use kiln::{Class, Context, Error, Row};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use tempfile::TempDir;

/// A row with the columns that most tests need.
#[derive(Row, Clone, Debug, PartialEq)]
pub(crate) struct Item {
    pub(crate) id: i64,
    pub(crate) name: Option<String>,
}

pub(crate) fn items(ids: std::ops::Range<i64>) -> Vec<Item> {
    ids.map(|id| Item { id, name: (id % 3 != 0).then(|| format!("name {id}")) }).collect()
}

pub(crate) fn batch(items: &[Item]) -> RecordBatch {
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(items.iter().map(|item| item.id)));
    let names: ArrayRef = Arc::new(items.iter().map(|item| item.name.clone()).collect::<StringArray>());
    RecordBatch::try_from_iter([("name", names), ("id", ids)]).unwrap()
}

pub(crate) fn write_parquet(path: &Path, batch: &RecordBatch, group_rows: usize) {
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(group_rows))
        .set_compression(Compression::SNAPPY)
        .build();
    let mut writer = ArrowWriter::try_new(create(path), batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
}

/// Writes the Arrow file format, as several batches.
pub(crate) fn write_arrow(path: &Path, batch: &RecordBatch, rows: usize) {
    let mut writer = FileWriter::try_new(create(path), &batch.schema()).unwrap();
    pieces(batch, rows).for_each(|piece| writer.write(&piece).unwrap());
    writer.finish().unwrap();
}

/// The same with compressed batches.
pub(crate) fn write_compressed_arrow(path: &Path, batch: &RecordBatch, rows: usize, codec: CompressionType) {
    let options = IpcWriteOptions::default().try_with_compression(Some(codec)).unwrap();
    let mut writer = FileWriter::try_new_with_options(create(path), &batch.schema(), options).unwrap();
    pieces(batch, rows).for_each(|piece| writer.write(&piece).unwrap());
    writer.finish().unwrap();
}

/// Writes the Arrow stream format, as several batches.
pub(crate) fn write_stream(path: &Path, batch: &RecordBatch, rows: usize) {
    let mut writer = StreamWriter::try_new(create(path), &batch.schema()).unwrap();
    pieces(batch, rows).for_each(|piece| writer.write(&piece).unwrap());
    writer.finish().unwrap();
}

fn pieces(batch: &RecordBatch, rows: usize) -> impl Iterator<Item = RecordBatch> + '_ {
    (0..batch.num_rows()).step_by(rows).map(move |at| batch.slice(at, rows.min(batch.num_rows() - at)))
}

fn create(path: &Path) -> File {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    File::create(path).unwrap()
}

pub(crate) fn cx() -> Context {
    Context::local(2)
}

/// A folder with one file of this text.
pub(crate) fn file(name: &str, text: impl AsRef<[u8]>) -> (TempDir, PathBuf, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    let address = path.display().to_string();
    (folder, path, address)
}

/// The error must be a data error that contains all of these words.
#[track_caller]
pub(crate) fn says(error: Error, words: &[&str]) {
    assert_eq!(error.class(), Class::Data, "{error}");
    let text = error.to_string();
    words.iter().for_each(|word| assert!(text.contains(word), "`{word}` is not in: {text}"));
}
