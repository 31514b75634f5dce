//! What every reader of a file with columns gives: batches of the row type's columns, one by one.

use arrow::array::RecordBatch;

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
}
