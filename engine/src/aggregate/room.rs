//! How much memory a table takes, and whether its task has room for it.
//!
//! Slots and long keys are counted; what accumulators hold beside their slot is estimated from a
//! sample of them, now and then. What is done when there is no room is the caller's business.

use std::mem::needs_drop;

use datafusion_execution::memory_pool::MemoryReservation;

use super::table::Table;
use crate::row::{ColumnBuilder, Key, Row};
use crate::task::Task;

/// Accumulators in a sample.
const SAMPLE: usize = 64;
/// Rows between two samples.
const SAMPLE_ROWS: usize = 1 << 16;

/// The room that a task has given to one table.
pub struct Room {
    reservation: MemoryReservation,
    /// Estimated bytes that one accumulator holds beside its slot.
    heap: usize,
    rows: usize,
}

impl Room {
    /// No room yet, in the share of `task`.
    pub fn new(task: &Task<'_>, what: &'static str) -> Room {
        Room { reservation: task.reserve(what), heap: 0, rows: 0 }
    }

    /// Whether `table`, which has taken `rows` more, may take `next` keys more.
    pub fn has_room<K: Key, A: Row>(&mut self, table: &Table<K, A>, rows: usize, next: usize) -> bool {
        self.rows += rows;
        if needs_drop::<A>() && self.rows >= SAMPLE_ROWS {
            (self.heap, self.rows) = (sample(table), 0);
        }
        let wanted = table.size_bytes_after(next) + self.heap * (table.len() + next);
        self.grow_to(wanted)
    }

    /// Whether there is room for `bytes` in all.
    pub fn grow_to(&mut self, bytes: usize) -> bool {
        let missing = bytes.saturating_sub(self.reservation.size());
        missing == 0 || self.reservation.try_grow(missing).is_ok()
    }

    /// Gives all of it back.
    pub fn free(&mut self) {
        self.reservation.free();
    }
}

fn sample<K: Key, A: Row>(table: &Table<K, A>) -> usize {
    let mut builder = A::Builder::default();
    table.iter().step_by((table.len() / SAMPLE).max(1)).for_each(|(_, _, acc)| builder.push(acc.view()));
    builder.size_bytes() / builder.len().max(1)
}
