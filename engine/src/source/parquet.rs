//! Reads the row groups of a piece of a Parquet file.
//!
//! A piece, the wanted columns and perhaps a filter enter; batches leave. The task opens the footer, so
//! planning ten thousand files opens none of them: a piece is a byte range, and owns the row groups
//! whose middle lies in it, which every task computes alike. Only wanted columns are read. A filter drops
//! row groups by those statistics that can be trusted (`statistics`), and then rows exactly. Before anything
//! is decoded, what the footer says is held against the size of the file (`footer`), and the header of each
//! page against what a page may take (`pages`) and what a batch may (`budget`).

mod budget;
mod columns;
mod footer;
mod int96;
mod pages;
mod prune;
mod statistics;
mod thrift;

use std::ops::Range;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowPredicateFn, ArrowReaderMetadata, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
    RowFilter, RowSelection,
};
use parquet::errors::ParquetError;

pub use self::columns::parquet_columns;

use self::budget::PageBudget;
use self::pages::Pages;
use super::adapt::{Adapter, Wanted};
use super::batches::{Batches, Places};
use super::guard::decoding;
use super::predicate::{OnFile, Predicate};
use super::ranges::RangedFile;
use super::skim::{self, Skimmed};
use super::split::Piece;
use crate::error::{Class, Error, Result};
use crate::row::BatchLimits;

/// What messages call such a file.
const WHAT: &str = "Parquet";
/// Bytes of encoded columns that are held for one reader at most, and how many batches' worth where those are smaller
/// for lack of memory.
const MAX_PLANNED_BYTES: u64 = 32 << 20;
const PLANNED_BATCHES: u64 = 8;
/// By how much fewer rows are read at once where they have turned out to be too many.
const FEWER: usize = 4;

/// The rows of the row groups that a piece owns.
pub struct ParquetBatches {
    scan: Scan,
    /// Nothing when the filter leaves no row.
    reader: Option<ParquetRecordBatchReader>,
    adapter: Adapter,
    /// Where the next batch begins among the rows that are read.
    row: u64,
    /// For each row group that is read, its rows and the first of them in the file.
    groups: Arc<[(u64, u64)]>,
    skimmed: Option<Skimmed>,
}

impl ParquetBatches {
    /// Reads the footer and finds the columns and row groups.
    ///
    /// # Errors
    /// Of class data for a file that is damaged or whose columns do not fit; of class config for a
    /// filter that does not fit the file.
    pub fn open(piece: &Piece, wanted: &Wanted, filter: Option<&Predicate>) -> Result<ParquetBatches> {
        let file = RangedFile::open(piece)?;
        let footer = footer::read(&file, &piece.address)?;
        let footer = decoding(WHAT, &piece.address, || int96::as_micros(footer, wanted))?;
        let adapter = Adapter::new(wanted, &piece.address, footer.schema())?;
        let mut groups = footer::owned_groups(footer.metadata(), piece);
        let mut row_filter = None;
        if let Some(filter) = filter {
            let filter = filter.on_file(wanted, &piece.address, footer.schema())?;
            groups = prune::groups(&filter, groups, &footer);
            // One that is the same for all rows has pruned all groups or none.
            row_filter = (!filter.columns.is_empty()).then(|| Arc::new(filter));
        }
        let rows = footer::rows(footer.metadata(), &groups);
        // How many rows pass a filter is not known, and so not where to look for some of them.
        let selection = (wanted.skim && filter.is_none()).then(|| select_some(&rows));
        let skimmed = selection.as_ref().map(|selection| Skimmed {
            read: selection.row_count() as u64,
            all: rows.iter().map(|(rows, _)| rows).sum(),
        });
        let mut scan = Scan::new(file, piece, footer, groups, adapter.projection(), wanted.limits);
        (scan.filter, scan.selection) = (row_filter, selection);
        scan.plan(wanted.limits);
        let reader = if scan.groups.is_empty() { None } else { Some(scan.read_from(0)?) };
        Ok(ParquetBatches { scan, reader, adapter, row: 0, groups: rows, skimmed })
    }

    /// The next rows as the file has them.
    fn decode(&mut self) -> Result<Option<RecordBatch>> {
        let Some(reader) = &mut self.reader else { return Ok(None) };
        loop {
            self.scan.budget.start_batch(self.scan.rows);
            match self.scan.decoding(|| reader.next().transpose()) {
                Err(error) if self.scan.reads_fewer(&error) => *reader = self.scan.read_from(self.row)?,
                batch => return batch,
            }
        }
    }
}

/// What is read of a file, and how many rows at once.
struct Scan {
    file: RangedFile,
    address: String,
    footer: ArrowReaderMetadata,
    groups: Vec<usize>,
    mask: ProjectionMask,
    /// A filter that looks at columns of the file.
    filter: Option<Arc<OnFile>>,
    selection: Option<RowSelection>,
    budget: Arc<PageBudget>,
    /// Rows of a batch at most.
    rows: usize,
}

impl Scan {
    fn new(
        file: RangedFile,
        piece: &Piece,
        footer: ArrowReaderMetadata,
        groups: Vec<usize>,
        projection: &[usize],
        limits: BatchLimits,
    ) -> Scan {
        let mask = ProjectionMask::roots(footer.parquet_schema(), projection.iter().copied());
        let rows = budget::rows_at_once(footer.metadata(), &groups, &mask, limits);
        let budget = Arc::new(PageBudget::new(footer.metadata(), limits));
        let (address, filter, selection) = (piece.address.clone(), None, None);
        Scan { file, address, footer, groups, mask, filter, selection, budget, rows }
    }

    /// Plans what is read of the file: a filter is evaluated for all row groups first. Of a sample nothing is planned,
    /// because most of each chunk is passed over.
    fn plan(&self, limits: BatchLimits) {
        if self.selection.is_some() {
            return;
        }
        let filtered = self.filter.as_ref().map(|filter| self.mask_of(filter));
        let masks = filtered.iter().chain([&self.mask]);
        let groups = masks.flat_map(|mask| self.groups.iter().map(|&group| self.chunks(group, mask)));
        let max_bytes = MAX_PLANNED_BYTES.min(limits.bytes as u64 * PLANNED_BATCHES);
        self.file.plan(groups.collect(), max_bytes);
    }

    /// Where the columns of `mask` are in a row group.
    fn chunks(&self, group: usize, mask: &ProjectionMask) -> Vec<Range<u64>> {
        let columns = self.footer.metadata().row_group(group).columns().iter().enumerate();
        let read = columns.filter(|(leaf, _)| mask.leaf_included(*leaf));
        let range = |(start, bytes): (u64, u64)| start..start + bytes;
        read.map(|(_, column)| range(column.byte_range())).collect()
    }

    fn mask_of(&self, filter: &OnFile) -> ProjectionMask {
        ProjectionMask::roots(self.footer.parquet_schema(), filter.columns.iter().copied())
    }

    /// A reader that begins at the row `first` of those that it would give.
    fn read_from(&mut self, first: u64) -> Result<ParquetRecordBatchReader> {
        loop {
            match self.decoding(|| self.build(first)) {
                // The filter is evaluated here, over columns of its own.
                Err(error) if self.reads_fewer(&error) => {}
                reader => return reader,
            }
        }
    }

    /// Runs the decoder. When the file could not be read, that is the error.
    fn decoding<T, E: std::error::Error + 'static>(&self, body: impl FnOnce() -> Result<T, E>) -> Result<T> {
        let ours = || self.file.failure().map(|error| error.at("file", &self.address));
        decoding(WHAT, &self.address, body).map_err(|error| ours().unwrap_or(error))
    }

    fn build(&self, first: u64) -> Result<ParquetRecordBatchReader, ParquetError> {
        self.budget.start_batch(self.rows);
        let pages = Pages(self.file.clone(), Arc::clone(&self.budget));
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(pages, self.footer.clone())
            .with_batch_size(self.rows)
            .with_projection(self.mask.clone())
            .with_row_groups(self.groups.clone());
        let builder = if first > 0 { builder.with_offset(first as usize) } else { builder };
        match (&self.filter, &self.selection) {
            (Some(filter), _) => builder.with_row_filter(self.row_filter(filter)).build(),
            (None, Some(selection)) => builder.with_row_selection(selection.clone()).build(),
            (None, None) => builder.build(),
        }
    }

    /// The rows for which the filter is true; where that is unknown, the decoder drops them, too.
    fn row_filter(&self, filter: &Arc<OnFile>) -> RowFilter {
        let mask = self.mask_of(filter);
        let (filter, budget, rows) = (Arc::clone(filter), Arc::clone(&self.budget), self.rows);
        let keep = move |batch: RecordBatch| {
            budget.start_batch(rows);
            filter.check.of(&batch).map_err(|e| ArrowError::ExternalError(Box::new(e)))
        };
        RowFilter::new(vec![Box::new(ArrowPredicateFn::new(mask, keep))])
    }

    /// Whether `error` is about too many rows at once, and fewer are read from now on. What one row takes is
    /// read, unless its offsets overflow.
    fn reads_fewer(&mut self, error: &Error) -> bool {
        let is_overflow = error.class() == Class::Resource;
        let too_many = (is_overflow || self.budget.is_exceeded()) && self.rows > 1;
        if too_many {
            self.rows = (self.rows / FEWER).max(1);
        }
        too_many
    }
}

impl Batches for ParquetBatches {
    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        let Some(batch) = self.decode()? else { return Ok(None) };
        let first = self.row;
        self.row += batch.num_rows() as u64;
        self.adapter.adapt(&batch, |row| self.places().of(first + row as u64)).map(Some)
    }

    fn bytes_read(&self) -> u64 {
        self.scan.file.bytes_read()
    }

    fn skimmed(&self) -> Option<Skimmed> {
        self.skimmed
    }

    /// A filter does not say which rows it dropped; then rows are counted among those that passed.
    fn places(&self) -> Places {
        if self.scan.filter.is_some() {
            return Places { unit: "filtered row", find: Box::new(Some) };
        }
        let groups = Arc::clone(&self.groups);
        let is_skimmed = self.skimmed.is_some();
        let find = move |row: u64| {
            let mut row = if is_skimmed { skim::position(row) } else { row };
            for (rows, first) in &*groups {
                if row < *rows {
                    return Some(first + row);
                }
                row -= rows;
            }
            None
        };
        Places { unit: "row", find: Box::new(find) }
    }
}

/// Short stretches of the rows of some row groups.
fn select_some(groups: &[(u64, u64)]) -> RowSelection {
    let rows = groups.iter().map(|(rows, _)| *rows as usize).sum();
    RowSelection::from_consecutive_ranges(skim::stretches(rows), rows)
}

#[cfg(test)]
mod tests;
