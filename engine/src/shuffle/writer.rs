//! Rows in, batches under their target partitions out.
//!
//! The columns of hundreds of partitions do not lie in the processor's nearest cache. Rows that are
//! small therefore wait in short runs, which do, and a run is then written to its columns at once.

use std::mem::needs_drop;

use arrow::array::RecordBatch;

use crate::error::{Error, Result};
use crate::row::{BATCH_BYTES, ColumnBuilder, Row, check_row, to_batch};
use crate::task::{BatchLimits, Output};

/// Smaller batches cost more than the memory that they save.
const MIN_BLOCK_BYTES: usize = 16 << 10;
/// Rows of one partition that are written together, if they are no larger than this.
const RUN_ROWS: usize = 16;
const RUN_ROW_BYTES: usize = 64;
/// With fewer partitions there are no runs: their columns lie near enough.
const RUN_PARTITIONS: usize = 16;

/// Collects rows per target partition and passes them on as batches.
///
/// `push` cannot fail, so that a fused loop stays a loop; an error is kept and given by `finish`.
pub struct PartitionedWriter<'a, T: Row> {
    builders: Vec<T::Builder>,
    /// Of each partition the rows that are still to be written; empty when there are no runs.
    runs: Vec<Vec<T>>,
    /// At which a batch is passed on.
    limits: BatchLimits,
    out: &'a mut dyn Output,
    closed: bool,
    error: Option<Error>,
}

impl<'a, T: Row> PartitionedWriter<'a, T> {
    /// Writes to `partitions` of `out`.
    pub fn new(partitions: usize, out: &'a mut dyn Output) -> Self {
        let builders = (0..partitions).map(|_| T::Builder::default()).collect();
        let BatchLimits { rows, bytes } = out.limits();
        let limits =
            BatchLimits { rows, bytes: (bytes / partitions.max(1)).clamp(MIN_BLOCK_BYTES, BATCH_BYTES) };
        // What a row owns would have to be copied for this.
        let is_small = !needs_drop::<T>() && size_of::<T>() <= RUN_ROW_BYTES;
        let runs = if is_small && partitions >= RUN_PARTITIONS { partitions } else { 0 };
        let runs = (0..runs).map(|_| Vec::with_capacity(RUN_ROWS)).collect();
        PartitionedWriter { builders, runs, limits, out, closed: false, error: None }
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
        match self.runs.get_mut(partition) {
            Some(run) => {
                run.push(T::own(row));
                if run.len() == RUN_ROWS {
                    self.write_run(partition);
                }
            }
            None => self.write(partition, row),
        }
    }

    #[inline]
    fn write(&mut self, partition: usize, row: T::View<'_>) {
        let builder = &mut self.builders[partition];
        builder.push(row);
        if self.limits.are_reached(builder.len(), builder.size_bytes()) {
            self.flush(partition);
        }
    }

    #[inline(never)]
    fn write_run(&mut self, partition: usize) {
        let mut run = std::mem::take(&mut self.runs[partition]);
        run.drain(..).for_each(|row| self.write(partition, row.view()));
        self.runs[partition] = run;
    }

    /// Passes on all rows that are still held.
    pub fn finish(mut self) -> Result<()> {
        (0..self.runs.len()).for_each(|partition| self.write_run(partition));
        for partition in 0..self.builders.len() {
            self.flush(partition);
        }
        self.error.map_or(Ok(()), Err)
    }

    #[cold]
    fn flush(&mut self, partition: usize) {
        let builder = &mut self.builders[partition];
        if self.closed {
            // Rows may still come until the source notices; nobody takes them.
            *builder = T::Builder::default();
        }
        if builder.is_empty() {
            return;
        }
        // The row that reached the limit is all but this of the batch.
        let sent = check_row(builder.size_bytes().saturating_sub(self.limits.bytes))
            .and_then(|()| to_batch::<T>(builder))
            .and_then(|batch: RecordBatch| self.out.push(partition, batch));
        match sent {
            Ok(flow) => self.closed = flow.is_break(),
            Err(error) => {
                self.closed = true;
                self.error = Some(error);
            }
        }
    }
}
