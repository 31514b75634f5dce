//! How much of its task's share an operator may hold, and how much its rows would take.

use arrow::array::RecordBatch;
use datafusion_execution::memory_pool::MemoryReservation;

use crate::row::bytes_of;
use crate::task::Task;

/// The part of a task's share that held rows may take: the rest is for batches on their way out, and
/// for other operators of the same stage.
const HELD_SHARE: usize = 2;
/// What a batch takes beside its rows, about.
const BATCH_BYTES: usize = 1 << 10;

/// Room for held rows.
pub struct Room {
    reservation: MemoryReservation,
    limit: usize,
}

impl Room {
    /// Room for the rows that `operator` holds.
    pub fn new(task: &Task<'_>, operator: &'static str) -> Room {
        let limit = task.env.memory.task_bytes() / HELD_SHARE;
        Room { reservation: task.reserve(operator), limit }
    }

    /// Bytes that rows may take at most.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Takes `bytes` in all, if there is so much; else keeps what it has.
    #[must_use]
    pub fn hold(&self, bytes: usize) -> bool {
        bytes <= self.limit && self.reservation.try_resize(bytes).is_ok()
    }

    /// Gives everything back.
    pub fn free(&mut self) {
        self.reservation.free();
    }
}

/// How many rows, and what they take as columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Rows.
    pub rows: usize,
    /// Bytes of their columns.
    pub bytes: usize,
}

impl Size {
    /// Adds a batch.
    pub fn add(&mut self, batch: &RecordBatch) {
        self.rows += batch.num_rows();
        self.bytes += BATCH_BYTES + bytes_of(batch);
    }
}
