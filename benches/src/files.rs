//! Parquet files for the hand-written programs.
//!
//! Reads the row groups of a folder as batches, on as many threads as requested; each thread takes the
//! next row group when it has finished one. Writes rows with the same compression.

use std::fs::{self, File};
use std::io::Write;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, ScopedJoinHandle};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use kiln::{Error, Result};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};

/// Compression of all tables of the benchmarks, of inputs and outputs.
pub const COMPRESSION: Compression = Compression::SNAPPY;
/// Rows per batch: few enough for its columns to stay in the cache.
const BATCH_ROWS: usize = 8192;

/// One row group of one file.
struct Group {
    path: PathBuf,
    metadata: ArrowReaderMetadata,
    index: usize,
}

/// The files of `folder` whose names end in `ending`, sorted by name.
///
/// # Errors
/// Fails when the folder cannot be listed.
pub fn list(folder: &Path, ending: &str) -> Result<Vec<PathBuf>> {
    let failed = |e| Error::io("a folder cannot be listed", e).at("folder", folder.display());
    let entries = fs::read_dir(folder).map_err(failed)?.collect::<std::io::Result<Vec<_>>>();
    let paths = entries.map_err(failed)?.into_iter().map(|entry| entry.path());
    let mut paths: Vec<PathBuf> = paths.filter(|path| path.to_string_lossy().ends_with(ending)).collect();
    paths.sort();
    Ok(paths)
}

/// Reads all Parquet files of `folder` on `slots` threads, each with its own state.
///
/// Batches of one row group are passed in order to one thread, which may be any.
///
/// # Errors
/// Fails when a file cannot be read.
pub fn scan<S: Send>(
    folder: &Path,
    slots: usize,
    new: impl Fn() -> S + Sync,
    each: impl Fn(&mut S, &RecordBatch) + Sync,
) -> Result<Vec<S>> {
    let groups = groups(folder)?;
    let next = AtomicUsize::new(0);
    let states = on_threads((0..slots).map(|_| {
        || -> Result<S> {
            let mut state = new();
            while let Some(group) = groups.get(next.fetch_add(1, Ordering::Relaxed)) {
                group.read(|batch| each(&mut state, batch))?;
            }
            Ok(state)
        }
    }));
    states.into_iter().collect()
}

/// The row groups of all files in the folder, in order.
fn groups(folder: &Path) -> Result<Vec<Group>> {
    let mut groups = Vec::new();
    for path in list(folder, ".parquet")? {
        let file = open(&path)?;
        // Other writers store Arrow metadata about string types; here all strings have one type.
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let metadata = ArrowReaderMetadata::load(&file, options).map_err(|e| parquet_failed(&path, e))?;
        groups.extend((0..metadata.metadata().num_row_groups()).map(|index| Group {
            path: path.clone(),
            metadata: metadata.clone(),
            index,
        }));
    }
    Ok(groups)
}

impl Group {
    fn read(&self, mut each: impl FnMut(&RecordBatch)) -> Result<()> {
        let failed = |e| parquet_failed(&self.path, e);
        let reader =
            ParquetRecordBatchReaderBuilder::new_with_metadata(open(&self.path)?, self.metadata.clone());
        let reader = reader.with_row_groups(vec![self.index]).with_batch_size(BATCH_ROWS).build();
        for batch in reader.map_err(failed)? {
            each(&batch.map_err(|e| failed(e.into()))?);
        }
        Ok(())
    }
}

fn open(path: &Path) -> Result<File> {
    File::open(path).map_err(|e| Error::io("a table cannot be read", e).at("file", path.display()))
}

/// Whether a writer uses dictionary encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dictionaries {
    /// No dictionaries, for values that are known not to repeat.
    None,
    /// The default of the `parquet` crate.
    AsUsual,
}

/// A writer of one Parquet file.
pub struct Writer {
    path: PathBuf,
    writer: ArrowWriter<File>,
}

impl Writer {
    /// Creates the file.
    pub fn create(path: PathBuf, schema: SchemaRef, dictionaries: Dictionaries) -> Result<Writer> {
        let properties = WriterProperties::builder()
            .set_compression(COMPRESSION)
            .set_dictionary_enabled(dictionaries == Dictionaries::AsUsual)
            .set_statistics_enabled(EnabledStatistics::Chunk);
        let file = File::create(&path).map_err(|e| Error::io("a file cannot be written", e))?;
        let writer = ArrowWriter::try_new(file, schema, Some(properties.build()));
        Ok(Writer { writer: writer.map_err(|e| parquet_failed(&path, e))?, path })
    }

    /// Writes rows.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.writer.write(batch).map_err(|e| parquet_failed(&self.path, e))
    }

    /// Closes the file. It is synced to disk when this returns, like a job's files.
    pub fn finish(self) -> Result<()> {
        let mut file = self.writer.into_inner().map_err(|e| parquet_failed(&self.path, e))?;
        file.flush().and_then(|()| file.sync_all()).map_err(|e| Error::io("a file cannot be written", e))
    }
}

/// The error of a file that the parquet crate cannot read or write.
pub fn parquet_failed(path: &Path, error: ParquetError) -> Error {
    Error::data("a Parquet file cannot be read or written").because(error).at("file", path.display())
}

/// Runs each of `works` on a separate thread and propagates panics.
pub fn on_threads<T: Send>(works: impl Iterator<Item = impl FnOnce() -> T + Send>) -> Vec<T> {
    thread::scope(|scope| {
        let threads: Vec<_> = works.map(|work| scope.spawn(work)).collect();
        let join = |thread: ScopedJoinHandle<T>| thread.join().unwrap_or_else(|panic| resume_unwind(panic));
        threads.into_iter().map(join).collect()
    })
}

/// Both columns of a small table of pairs, in the order of its files.
#[cfg(test)]
pub fn pairs(folder: &Path) -> Vec<(i64, i64)> {
    use arrow::array::AsArray;
    use arrow::datatypes::Int64Type;

    let pairs = scan(folder, 1, Vec::new, |pairs, batch| {
        let [left, right] = [0, 1].map(|i| batch.column(i).as_primitive::<Int64Type>().values());
        pairs.extend(left.iter().copied().zip(right.iter().copied()));
    });
    pairs.expect("a test's table can be read").concat()
}
