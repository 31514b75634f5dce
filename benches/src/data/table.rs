//! Tables of a data set: Parquet files of even size, compressed with Snappy.
//!
//! Writes columns, one chunk of rows at a time, to a folder of files. There are several files with
//! several row groups each, so that every contender can distribute them to its threads.

use std::fs::{self, File};
use std::ops::Range;
use std::path::Path;

use arrow::array::{ArrayRef, RecordBatch};
use kiln::{Error, Result};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;

use crate::files::{COMPRESSION, parquet_failed};

/// Files per table.
const FILES: u64 = 8;
/// Maximum number of rows per row group: at 16 to 100 bytes per row, some 4 to 25 MB.
const GROUP_ROWS: usize = 250_000;
/// Rows that are generated at once.
const CHUNK_ROWS: u64 = 1 << 16;

/// Writes rows `0..rows` to files in `folder`; `make` returns the named columns of a range of rows.
///
/// # Errors
/// Fails when a file cannot be written.
pub fn write_table(
    folder: &Path,
    rows: u64,
    mut make: impl FnMut(Range<u64>) -> Vec<(&'static str, ArrayRef)>,
) -> Result<()> {
    fs::create_dir_all(folder).map_err(|e| Error::io("a table cannot be written", e))?;
    for file in 0..FILES {
        let mut left = rows * file / FILES..rows * (file + 1) / FILES;
        let path = folder.join(format!("part-{file:05}.parquet"));
        let failed = |e| parquet_failed(&path, e);
        let mut writer: Option<ArrowWriter<File>> = None;
        while !left.is_empty() {
            let chunk = left.start..left.end.min(left.start + CHUNK_ROWS);
            left.start = chunk.end;
            let batch = RecordBatch::try_from_iter(make(chunk)).map_err(|e| failed(e.into()))?;
            let writer = match &mut writer {
                Some(writer) => writer,
                none => none.insert(start(&path, &batch)?),
            };
            writer.write(&batch).map_err(failed)?;
        }
        writer.map_or(Ok(()), |writer| writer.close().map(drop)).map_err(failed)?;
    }
    Ok(())
}

/// Starts a file for rows with the schema of `batch`.
fn start(path: &Path, batch: &RecordBatch) -> Result<ArrowWriter<File>> {
    let properties = WriterProperties::builder()
        .set_compression(COMPRESSION)
        .set_dictionary_enabled(false)
        .set_max_row_group_row_count(Some(GROUP_ROWS));
    let file = File::create(path).map_err(|e| Error::io("a table cannot be written", e))?;
    ArrowWriter::try_new(file, batch.schema(), Some(properties.build())).map_err(|e| parquet_failed(path, e))
}
