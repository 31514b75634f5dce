//! Memory reservation of an operator that holds rows, and the size of these rows.

use arrow::array::RecordBatch;
use datafusion_execution::memory_pool::MemoryReservation;

use crate::row::bytes_of;
use crate::task::Task;

/// Divisor of the task's memory share: held rows take at most this part of it. The rest is for output
/// batches and for other operators of the same stage.
const HELD_SHARE: usize = 2;
/// Approximate overhead of a batch, in bytes.
const BATCH_BYTES: usize = 1 << 10;

/// A memory reservation for held rows.
pub struct Room {
    reservation: MemoryReservation,
    limit: usize,
}

impl Room {
    /// An empty reservation for the rows that `operator` holds.
    pub fn new(task: &Task<'_>, operator: &'static str) -> Room {
        let limit = task.env.memory.task_bytes() / HELD_SHARE;
        Room { reservation: task.reserve(operator), limit }
    }

    /// Upper limit of the bytes that the rows may take.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Resizes the reservation to `bytes` if there is enough memory. Otherwise it stays unchanged.
    #[must_use]
    pub fn hold(&self, bytes: usize) -> bool {
        bytes <= self.limit && self.reservation.try_resize(bytes).is_ok()
    }

    /// Frees the whole reservation.
    pub fn free(&mut self) {
        self.reservation.free();
    }
}

/// Number of rows and their size as columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Number of rows.
    pub rows: usize,
    /// Size of their columns.
    pub bytes: usize,
}

impl Size {
    /// Adds a batch.
    pub fn add(&mut self, batch: &RecordBatch) {
        self.rows += batch.num_rows();
        self.bytes += BATCH_BYTES + bytes_of(batch);
    }
}
