//! Reads the row groups of a piece of a Parquet file.
//!
//! A piece, the wanted columns and perhaps a filter enter; batches leave. The task opens the footer, so
//! planning ten thousand files opens none of them: a piece is a byte range, and owns the row groups
//! whose middle lies in it, which every task computes alike. Only wanted columns are read. A filter drops
//! row groups by those statistics that can be trusted (`statistics`), and then rows exactly. Before anything is decoded, what
//! the footer says is held against the size of the file (`footer`), and the header of each page against what
//! a page may take (`pages`).

mod footer;
mod int96;
mod pages;
mod prune;
mod statistics;
mod thrift;

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowPredicateFn, ArrowReaderMetadata, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
    RowFilter, RowSelection,
};

use self::pages::Pages;
use super::adapt::{Adapter, Wanted};
use super::batches::{Batches, Places};
use super::guard::decoding;
use super::predicate::{OnFile, Predicate};
use super::ranges::RangedFile;
use super::skim::{self, Skimmed};
use super::split::Piece;
use crate::error::Result;

/// What messages call such a file.
const WHAT: &str = "Parquet";

/// The rows of the row groups that a piece owns.
pub struct ParquetBatches {
    file: RangedFile,
    address: String,
    /// Nothing when the filter leaves no row.
    reader: Option<ParquetRecordBatchReader>,
    adapter: Adapter,
    /// Where the next batch begins among the rows that are read.
    row: u64,
    /// For each row group that is read, its rows and the first of them in the file.
    groups: Arc<[(u64, u64)]>,
    is_filtered: bool,
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
            row_filter = (!filter.columns.is_empty()).then(|| self::row_filter(filter, &footer));
        }
        let (rows, is_filtered) = (footer::rows(footer.metadata(), &groups), filter.is_some());
        // How many rows pass a filter is not known, and so not where to look for some of them.
        let selection = (wanted.skim && !is_filtered).then(|| select_some(&rows));
        let skimmed = selection.as_ref().map(|selection| Skimmed {
            read: selection.row_count() as u64,
            all: rows.iter().map(|(rows, _)| rows).sum(),
        });
        let reader = if groups.is_empty() {
            None
        } else {
            let mask = ProjectionMask::roots(footer.parquet_schema(), adapter.projection().iter().copied());
            Some(decoding(WHAT, &piece.address, || {
                let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(Pages(file.clone()), footer)
                    .with_batch_size(wanted.batch_rows)
                    .with_projection(mask)
                    .with_row_groups(groups);
                match (row_filter, selection) {
                    (Some(filter), _) => builder.with_row_filter(filter).build(),
                    (None, Some(selection)) => builder.with_row_selection(selection).build(),
                    (None, None) => builder.build(),
                }
            })?)
        };
        let address = piece.address.clone();
        Ok(ParquetBatches { file, address, reader, adapter, row: 0, groups: rows, is_filtered, skimmed })
    }
}

impl Batches for ParquetBatches {
    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        let Some(reader) = &mut self.reader else { return Ok(None) };
        let Some(batch) = decoding(WHAT, &self.address, || reader.next().transpose())? else {
            return Ok(None);
        };
        let first = self.row;
        self.row += batch.num_rows() as u64;
        self.adapter.adapt(&batch, |row| self.places().of(first + row as u64)).map(Some)
    }

    fn bytes_read(&self) -> u64 {
        self.file.bytes_read()
    }

    fn skimmed(&self) -> Option<Skimmed> {
        self.skimmed
    }

    /// A filter does not say which rows it dropped; then rows are counted among those that passed.
    fn places(&self) -> Places {
        if self.is_filtered {
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

/// The rows for which the filter is true; where that is unknown, the decoder drops them, too.
fn row_filter(filter: OnFile, footer: &ArrowReaderMetadata) -> RowFilter {
    let mask = ProjectionMask::roots(footer.parquet_schema(), filter.columns);
    let check = filter.check;
    let keep = move |batch: RecordBatch| check.of(&batch).map_err(|e| ArrowError::ExternalError(Box::new(e)));
    RowFilter::new(vec![Box::new(ArrowPredicateFn::new(mask, keep))])
}

#[cfg(test)]
mod tests;
