//! The interface of all readers of files with columns: batches of the row type's columns.

use arrow::array::RecordBatch;

use super::skim::Skimmed;
use crate::error::Result;

/// The rows of one piece of a file.
pub trait Batches {
    /// The next batch, with exactly the wanted columns; `None` at the end.
    ///
    /// # Errors
    /// Of class data when the file is invalid, otherwise by the operation that failed.
    fn next_batch(&mut self) -> Result<Option<RecordBatch>>;

    /// The number of bytes read from the file so far.
    fn bytes_read(&self) -> u64;

    /// How much of the piece is read, if not all of it.
    fn skimmed(&self) -> Option<Skimmed> {
        None
    }

    /// The positions of the piece's rows in its file.
    fn places(&self) -> Places;
}

/// Positions of rows in a file, computed only on demand, because only errors need them.
pub struct Places {
    /// The unit of a position: "line", from 1, or "row", from 0.
    pub unit: &'static str,
    /// Returns the position of a row, given as its number among all rows of the piece, from 0.
    pub find: Box<dyn FnMut(u64) -> Option<u64>>,
}

impl Places {
    /// The unit and the position of one row, for an error.
    pub(super) fn of(mut self, row: u64) -> Option<(&'static str, u64)> {
        (self.find)(row).map(|place| (self.unit, place))
    }
}

#[cfg(test)]
mod tests;
