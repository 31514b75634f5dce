//! Limits how many rows of a Parquet file are decoded at once.
//!
//! The decoder is given a number of rows and decodes that many, whatever their size. The number is chosen by
//! the size of an average row, which the footer gives ([`rows_at_once`]). If row sizes vary, the pages show
//! it: [`PageBudget`] sees the header of each page before it is read, and stops a batch of several rows whose
//! pages are too large for a batch. The reader then starts again at the first row of that batch, with fewer
//! rows at once. The decoder reduces the error to text, so the budget itself records that it is exceeded.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use parquet::arrow::ProjectionMask;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};

use super::thrift::PageHeader;
use crate::error::{Error, Result};
use crate::row::BatchLimits;

/// How many times the limit of a batch its pages may have: the first and the last of them are only read in
/// part.
const PAGES_SHARE: usize = 2;

/// How many rows of average size make a batch, over the columns of `mask`; the smallest number of all
/// `groups`.
pub(super) fn rows_at_once(
    metadata: &ParquetMetaData,
    groups: &[usize],
    mask: &ProjectionMask,
    limits: BatchLimits,
) -> usize {
    let rows_of_group = |&group: &usize| {
        let group = metadata.row_group(group);
        let columns = group.columns().iter().enumerate();
        let read = columns.filter(|(leaf, _)| mask.leaf_included(*leaf)).map(|(_, column)| column);
        let bytes = read.map(decoded_bytes).fold(0, u64::saturating_add);
        let row_bytes = bytes / u64::try_from(group.num_rows()).unwrap_or_default().max(1);
        limits.rows_of(usize::try_from(row_bytes).unwrap_or(usize::MAX))
    };
    groups.iter().map(rows_of_group).min().unwrap_or(limits.rows)
}

/// The decoded size of a column, as far as the footer shows it: a dictionary hides some of it.
fn decoded_bytes(column: &ColumnChunkMetaData) -> u64 {
    let texts = column.unencoded_byte_array_data_bytes().unwrap_or_default();
    u64::try_from(column.uncompressed_size().max(texts)).unwrap_or_default()
}

/// The bytes of the pages that the current batch has read.
pub(super) struct PageBudget {
    /// The column chunks of the file, sorted by position.
    chunks: Vec<Chunk>,
    limit: usize,
    state: Mutex<State>,
}

struct Chunk {
    start: u64,
    /// Whether a row may have several values.
    is_repeated: bool,
}

#[derive(Default)]
struct State {
    /// The most rows in the batch.
    rows: usize,
    /// By chunk: the size of the page that was last opened for this batch; all earlier pages have been read
    /// completely.
    open: HashMap<usize, usize>,
    /// The bytes of the pages that were read completely, and of the largest one.
    spent: usize,
    largest: usize,
    /// Whether the pages of the batch are too large.
    is_exceeded: bool,
    /// By chunk with a dictionary: the bytes of an average value.
    dictionaries: HashMap<usize, usize>,
}

impl PageBudget {
    /// A budget for the batches of a file that end at `limits`.
    pub(super) fn new(metadata: &ParquetMetaData, limits: BatchLimits) -> PageBudget {
        let columns = metadata.row_groups().iter().flat_map(|group| group.columns());
        let chunk = |column: &ColumnChunkMetaData| Chunk {
            start: column.byte_range().0,
            is_repeated: column.column_descr().max_rep_level() > 0,
        };
        let mut chunks: Vec<Chunk> = columns.map(chunk).collect();
        chunks.sort_unstable_by_key(|chunk| chunk.start);
        PageBudget { chunks, limit: limits.bytes.saturating_mul(PAGES_SHARE), state: Mutex::default() }
    }

    /// Starts a new batch of at most `rows` rows.
    pub(super) fn start_batch(&self, rows: usize) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        (state.rows, state.is_exceeded) = (rows, false);
        state.open.clear();
        (state.spent, state.largest) = (0, 0);
    }

    /// Whether the current batch was stopped because its pages are too large.
    pub(super) fn is_exceeded(&self) -> bool {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).is_exceeded
    }

    /// Counts the page with this header, which begins at byte `at` of the file.
    ///
    /// # Errors
    /// Of class resource when the pages of a batch of several rows are too large.
    pub(super) fn spend(&self, at: u64, header: &PageHeader) -> Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let index = self.chunks.partition_point(|chunk| chunk.start <= at).saturating_sub(1);
        let Some(chunk) = self.chunks.get(index) else { return Ok(()) };
        let bytes = usize::try_from(header.uncompressed.unwrap_or_default()).unwrap_or_default();
        let count = |values: Option<i64>| usize::try_from(values.unwrap_or_default()).unwrap_or_default();
        if header.is_dictionary() {
            state.dictionaries.insert(index, bytes / count(header.dictionary_values).max(1));
            return Ok(());
        }
        let values = count(header.values);
        // A page of references to a dictionary is small, but its values are not.
        let value_bytes = state.dictionaries.get(&index).copied().unwrap_or_default();
        let bytes = bytes.max(if header.refers { values.saturating_mul(value_bytes) } else { 0 });
        state.open(index, bytes);
        let share = if chunk.is_repeated { 1.0 } else { (state.rows as f64 / values.max(1) as f64).min(1.0) };
        // The page of a single large row may exceed the limit.
        let is_one_row = values == 1 && !chunk.is_repeated;
        let is_heavy_page = !is_one_row && bytes as f64 * share > self.limit as f64;
        if state.rows > 1 && (is_heavy_page || state.spent - state.largest > self.limit) {
            state.is_exceeded = true;
            let text = format!("{} rows take more than {} bytes", state.rows, self.limit);
            return Err(Error::resource(text));
        }
        Ok(())
    }
}

impl State {
    /// Opens another page of a chunk, after the previous one was read completely.
    fn open(&mut self, chunk: usize, bytes: usize) {
        if let Some(read) = self.open.insert(chunk, bytes) {
            self.spent = self.spent.saturating_add(read);
            self.largest = self.largest.max(read);
        }
    }
}
