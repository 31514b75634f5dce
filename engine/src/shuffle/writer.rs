//! Rows in, batches under their target partitions out.

use arrow::array::RecordBatch;

use crate::error::{Error, Result};
use crate::row::{ColumnBuilder, Row, to_batch};
use crate::task::{BatchLimits, Output};

/// Bytes in one batch, about: one large row may go beyond.
const BLOCK_BYTES: usize = 4 << 20;
/// Smaller batches cost more than the memory that they save.
const MIN_BLOCK_BYTES: usize = 16 << 10;

/// Collects rows per target partition and passes them on as batches.
///
/// `push` cannot fail, so that a fused loop stays a loop; an error is kept and given by `finish`.
pub struct PartitionedWriter<'a, T: Row> {
    builders: Vec<T::Builder>,
    /// Rows and bytes at which a batch is passed on.
    block_rows: usize,
    block_bytes: usize,
    out: &'a mut dyn Output,
    closed: bool,
    error: Option<Error>,
}

impl<'a, T: Row> PartitionedWriter<'a, T> {
    /// Writes to `partitions` of `out`.
    pub fn new(partitions: usize, out: &'a mut dyn Output) -> Self {
        let builders = (0..partitions).map(|_| T::Builder::default()).collect();
        let BatchLimits { rows: block_rows, bytes } = out.limits();
        let block_bytes = (bytes / partitions.max(1)).clamp(MIN_BLOCK_BYTES, BLOCK_BYTES);
        PartitionedWriter { builders, block_rows, block_bytes, out, closed: false, error: None }
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
        if builder.size_bytes() >= self.block_bytes || builder.len() >= self.block_rows {
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
