//! Rows in, batches under their target partitions out.

use arrow::array::RecordBatch;

use crate::error::{Error, Result};
use crate::row::{ColumnBuilder, Row, to_batch};
use crate::task::Output;

/// Rows in one batch at most.
const BLOCK_ROWS: usize = 1 << 16;
/// Bytes in one batch, about: one large row may go beyond.
const BLOCK_BYTES: usize = 4 << 20;

/// Collects rows per target partition and passes them on as batches.
///
/// `push` cannot fail, so that a fused loop stays a loop; an error is kept and given by `finish`.
pub struct PartitionedWriter<'a, T: Row> {
    builders: Vec<T::Builder>,
    out: &'a mut dyn Output,
    closed: bool,
    error: Option<Error>,
}

impl<'a, T: Row> PartitionedWriter<'a, T> {
    /// Writes to `partitions` of `out`.
    pub fn new(partitions: usize, out: &'a mut dyn Output) -> Self {
        let builders = (0..partitions).map(|_| T::Builder::default()).collect();
        PartitionedWriter { builders, out, closed: false, error: None }
    }

    /// Target partitions.
    pub fn partitions(&self) -> usize {
        self.builders.len()
    }

    /// Whether nobody wants more rows, or an error has come up.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Adds a row.
    #[inline]
    pub fn push(&mut self, partition: usize, row: T::View<'_>) {
        let builder = &mut self.builders[partition];
        builder.push(row);
        if builder.size_bytes() >= BLOCK_BYTES || builder.len() >= BLOCK_ROWS {
            self.flush(partition);
        }
    }

    /// Passes on all rows that are still held.
    pub fn finish(mut self) -> Result<()> {
        for partition in 0..self.builders.len() {
            self.flush(partition);
        }
        self.error.map_or(Ok(()), Err)
    }

    #[cold]
    fn flush(&mut self, partition: usize) {
        let builder = &mut self.builders[partition];
        if builder.is_empty() || self.closed {
            return;
        }
        let sent = to_batch::<T>(builder).and_then(|batch: RecordBatch| self.out.push(partition, batch));
        match sent {
            Ok(flow) => self.closed = flow.is_break(),
            Err(error) => {
                self.closed = true;
                self.error = Some(error);
            }
        }
    }
}
