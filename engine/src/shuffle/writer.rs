//! Collects rows into batches by target partition.
//!
//! The columns of hundreds of partitions do not fit in the L1 cache. Small rows are therefore collected in
//! short runs, which do fit, and each run is then written to its columns at once.

use std::mem::needs_drop;

use arrow::array::RecordBatch;

use crate::error::{Error, Result};
use crate::row::{BATCH_BYTES, ColumnBuilder, Row, check_row, to_batch};
use crate::task::{BatchLimits, Output};

/// The smallest batch: a smaller one costs more than the memory that it saves.
const MIN_BLOCK_BYTES: usize = 16 << 10;
/// How many rows of one partition are written together, if a row is no larger than `RUN_ROW_BYTES`.
const RUN_ROWS: usize = 16;
const RUN_ROW_BYTES: usize = 64;
/// With fewer partitions runs do not pay: the columns stay in the cache anyway.
const RUN_PARTITIONS: usize = 16;

/// Collects rows per target partition and passes them on as batches.
///
/// `push` cannot fail, so that a fused loop stays simple; an error is stored and returned by `finish`.
pub struct PartitionedWriter<'a, T: Row> {
    builders: Vec<T::Builder>,
    /// By partition: the rows that are not written yet. Empty when runs are not used.
    runs: Vec<Vec<T>>,
    /// The size at which a batch is passed on.
    limits: BatchLimits,
    out: &'a mut dyn Output,
    closed: bool,
    error: Option<Error>,
}

impl<'a, T: Row> PartitionedWriter<'a, T> {
    /// Writes to `partitions` partitions of `out`.
    pub fn new(partitions: usize, out: &'a mut dyn Output) -> Self {
        let builders = (0..partitions).map(|_| T::Builder::default()).collect();
        let BatchLimits { rows, bytes } = out.limits();
        let limits =
            BatchLimits { rows, bytes: (bytes / partitions.max(1)).clamp(MIN_BLOCK_BYTES, BATCH_BYTES) };
        // Rows in a run are owned copies, which are cheap only for types without heap data.
        let is_small = !needs_drop::<T>() && size_of::<T>() <= RUN_ROW_BYTES;
        let runs = if is_small && partitions >= RUN_PARTITIONS { partitions } else { 0 };
        let runs = (0..runs).map(|_| Vec::with_capacity(RUN_ROWS)).collect();
        PartitionedWriter { builders, runs, limits, out, closed: false, error: None }
    }

    /// The number of target partitions.
    pub fn partitions(&self) -> usize {
        self.builders.len()
    }

    /// Whether the reader needs no more rows, or an error has occurred.
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

    /// Passes on all remaining rows.
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
            // More rows may arrive until the source notices; they are dropped.
            *builder = T::Builder::default();
        }
        if builder.is_empty() {
            return;
        }
        // All bytes of the batch beyond the limit belong to its last row.
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
