//! What every reader of a file with columns gives: batches of the row type's columns, one by one.

use arrow::array::RecordBatch;

use super::skim::Skimmed;
use crate::error::Result;

/// The rows of one piece of a file.
pub trait Batches {
    /// The next batch, with exactly the columns that were wanted; nothing at the end.
    ///
    /// # Errors
    /// Of class data when the file is not what it should be; else by the failing operation.
    fn next_batch(&mut self) -> Result<Option<RecordBatch>>;

    /// How many bytes have been read from the file so far.
    fn bytes_read(&self) -> u64;

    /// How much of the piece will have been read, if that is not all.
    fn skimmed(&self) -> Option<Skimmed> {
        None
    }

    /// Where the rows of the piece stand in its file.
    fn places(&self) -> Places;
}

/// Where rows stand in a file; found when somebody asks, because nobody does while all is well.
pub struct Places {
    /// What a file is counted in: "line", from 1, or "row", from 0.
    pub unit: &'static str,
    /// The place of a row, which is given as its number among all rows of the piece, from 0.
    pub find: Box<dyn FnMut(u64) -> Option<u64>>,
}

impl Places {
    /// The place of one row, in the words of an error.
    pub(super) fn of(mut self, row: u64) -> Option<(&'static str, u64)> {
        (self.find)(row).map(|place| (self.unit, place))
    }
}

#[cfg(test)]
mod tests;
