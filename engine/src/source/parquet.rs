//! Reads the row groups of a piece of a Parquet file.
//!
//! A piece, the wanted columns and perhaps a filter enter; batches leave. The task opens the footer, so
//! planning ten thousand files opens none of them: a piece is a byte range, and owns the row groups
//! whose middle lies in it, which every task computes alike. Only wanted columns are read. A filter drops
//! row groups by their statistics, and then rows exactly. Before anything is decoded, what
//! the footer says is held against the size of the file (`footer`), and the header of each page against what
//! a page may take (`pages`) and what a batch may (`budget`).

mod budget;
mod footer;
mod int96;
mod pages;
mod prune;
mod thrift;

use std::sync::Arc;

use arrow::array::{Array, BooleanArray, RecordBatch};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use datafusion_common::ScalarValue;
use datafusion_physical_expr::PhysicalExpr;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowPredicateFn, ArrowReaderMetadata, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
    RowFilter, RowSelection,
};
use parquet::errors::ParquetError;

use self::budget::PageBudget;
use self::pages::Pages;
use super::adapt::{Adapter, Wanted};
use super::batches::{Batches, Places};
use super::guard::decoding;
use super::predicate::Predicate;
use super::ranges::RangedFile;
use super::skim::{self, Skimmed};
use super::split::Piece;
use crate::error::{Class, Error, Result};
use crate::row::BatchLimits;

/// What messages call such a file.
const WHAT: &str = "Parquet";
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
        let filter = match filter {
            Some(filter) => Some(FileFilter::new(filter, &footer, wanted, &piece.address)?),
            None => None,
        };
        if let Some(filter) = &filter {
            groups = filter.prune(groups, &footer)?;
        }
        let rows = footer::rows(footer.metadata(), &groups);
        // How many rows pass a filter is not known, and so not where to look for some of them.
        let selection = (wanted.skim && filter.is_none()).then(|| select_some(&rows));
        let skimmed = selection.as_ref().map(|selection| Skimmed {
            read: selection.row_count() as u64,
            all: rows.iter().map(|(rows, _)| rows).sum(),
        });
        let mut scan = Scan::new(file, piece, footer, groups, adapter.projection(), wanted.limits);
        (scan.filter, scan.selection) = (filter, selection);
        let reader = if scan.groups.is_empty() { None } else { Some(scan.read_from(0)?) };
        Ok(ParquetBatches { scan, reader, adapter, row: 0, groups: rows, skimmed })
    }

    /// The next rows as the file has them.
    fn decode(&mut self) -> Result<Option<RecordBatch>> {
        let Some(reader) = &mut self.reader else { return Ok(None) };
        loop {
            self.scan.budget.start_batch(self.scan.rows);
            match decoding(WHAT, &self.scan.address, || reader.next().transpose()) {
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
    filter: Option<FileFilter>,
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

    /// A reader that begins at the row `first` of those that it would give.
    fn read_from(&mut self, first: u64) -> Result<ParquetRecordBatchReader> {
        loop {
            match decoding(WHAT, &self.address, || self.build(first)) {
                // The filter is evaluated here, over columns of its own.
                Err(error) if self.reads_fewer(&error) => {}
                reader => return reader,
            }
        }
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

    fn row_filter(&self, filter: &FileFilter) -> RowFilter {
        let mask = ProjectionMask::roots(self.footer.parquet_schema(), filter.columns.iter().copied());
        let (expr, budget, rows) = (Arc::clone(&filter.expr), Arc::clone(&self.budget), self.rows);
        let keep = move |batch: RecordBatch| {
            budget.start_batch(rows);
            holds(&*expr, &batch)
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

/// The filter over the columns of one file.
struct FileFilter {
    expr: Arc<dyn PhysicalExpr>,
    /// The columns that it looks at, in the order of the file.
    schema: SchemaRef,
    columns: Vec<usize>,
}

impl FileFilter {
    fn new(filter: &Predicate, footer: &ArrowReaderMetadata, wanted: &Wanted, file: &str) -> Result<Self> {
        let names = filter.columns();
        let fields = footer.schema().fields();
        let columns: Vec<usize> =
            (0..fields.len()).filter(|&at| names.contains(fields[at].name().as_str())).collect();
        let schema = Arc::new(footer.schema().project(&columns)?);
        let constants = wanted.constants(file)?;
        let constant = |name: &str| -> Option<ScalarValue> { constants.get(name).cloned() };
        let expr = filter.on_file(&schema, &constant).map_err(|e| e.at("file", file))?;
        Ok(FileFilter { expr, schema, columns })
    }

    fn prune(&self, groups: Vec<usize>, footer: &ArrowReaderMetadata) -> Result<Vec<usize>> {
        prune::groups(&self.expr, &self.schema, groups, footer)
    }
}

/// For each row, whether the filter is true; null is not.
fn holds(expr: &dyn PhysicalExpr, batch: &RecordBatch) -> Result<BooleanArray, ArrowError> {
    let failed = |e| ArrowError::ExternalError(Box::new(crate::error::Error::from(e)));
    let kept = expr.evaluate(batch).and_then(|value| value.into_array(batch.num_rows())).map_err(failed)?;
    let kept = kept.as_any().downcast_ref::<BooleanArray>();
    kept.cloned().ok_or_else(|| ArrowError::ComputeError("a filter is no Boolean".to_owned()))
}

#[cfg(test)]
mod tests;
