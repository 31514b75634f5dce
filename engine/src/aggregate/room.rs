//! How much memory a table takes, and whether its task has room for it.
//!
//! Slots and long keys are counted. What accumulators hold beside their slot is estimated: from a sample of
//! them, taken at growing distances, and from the bytes of the rows since then. What is done when there is no
//! room is the caller's business.

use std::mem::needs_drop;

use datafusion_execution::memory_pool::MemoryReservation;

use super::table::Table;
use crate::row::{ColumnBuilder, Key, Row};
use crate::task::Task;

/// Accumulators in a sample, and bytes after which it is large enough.
const SAMPLE: usize = 64;
const SAMPLE_BYTES: usize = 1 << 20;
/// Rows between two samples at most.
const SAMPLE_ROWS: usize = 1 << 16;
/// The part of a task's share that rows may bring between two samples.
const STEP_SHARE: usize = 16;

/// The room that a task has given to one table.
pub struct Room {
    reservation: MemoryReservation,
    step: usize,
    /// Estimated bytes that one accumulator holds beside its slot.
    heap: usize,
    /// Rows since the last sample, and their bytes: all of them may be in accumulators now.
    rows: usize,
    grown: usize,
    /// Rows until the next sample.
    distance: usize,
}

impl Room {
    /// No room yet, in the share of `task`.
    pub fn new(task: &Task<'_>, what: &'static str) -> Room {
        let step = task.env.memory.task_bytes() / STEP_SHARE;
        Room { reservation: task.reserve(what), step, heap: 0, rows: 0, grown: 0, distance: 1 }
    }

    /// Bytes of rows after which one should ask again.
    pub fn step(&self) -> usize {
        self.step
    }

    /// Whether `table` may take `rows` more, of `bytes` together. If so, they are taken to be in it from
    /// now on.
    pub fn has_room<K: Key, A: Row>(&mut self, table: &Table<K, A>, rows: usize, bytes: usize) -> bool {
        if !needs_drop::<A>() {
            return self.grow_to(table.size_bytes_after(rows));
        }
        if self.rows >= self.distance || self.grown >= self.step {
            self.sample(table);
        }
        let mut fits = self.fits(table, rows, bytes);
        if !fits && self.rows > 0 {
            // Rows that have met in one accumulator may take much less than they brought.
            self.sample(table);
            fits = self.fits(table, rows, bytes);
        }
        if fits {
            self.rows += rows;
            self.grown += bytes;
        }
        fits
    }

    fn fits<K: Key, A: Row>(&mut self, table: &Table<K, A>, rows: usize, bytes: usize) -> bool {
        self.grow_to(table.size_bytes_after(rows) + self.heap * table.len() + self.grown + bytes)
    }

    /// Whether there is room for `bytes` in all.
    pub fn grow_to(&mut self, bytes: usize) -> bool {
        let missing = bytes.saturating_sub(self.reservation.size());
        missing == 0 || self.reservation.try_grow(missing).is_ok()
    }

    /// Gives all of it back: the table is empty.
    pub fn free(&mut self) {
        self.reservation.free();
        (self.rows, self.grown) = (0, 0);
    }

    fn sample<K: Key, A: Row>(&mut self, table: &Table<K, A>) {
        let mut builder = A::Builder::default();
        for (_, _, acc) in table.iter().step_by((table.len() / SAMPLE).max(1)) {
            builder.push(acc.view());
            if builder.size_bytes() >= SAMPLE_BYTES {
                break;
            }
        }
        self.heap = builder.size_bytes() / builder.len().max(1);
        (self.rows, self.grown) = (0, 0);
        self.distance = (2 * self.distance).min(SAMPLE_ROWS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::to_batch;
    use crate::task::tests::Desk;

    /// How many rows of `bytes` each the table of a task with a share of 8 MiB takes, at one row a key.
    fn taken(bytes: usize) -> usize {
        let mut builder = <u64 as Row>::Builder::default();
        builder.push(1);
        let desk = Desk::new(vec![to_batch::<u64>(&mut builder).unwrap()], 16 << 20);
        let mut room = Room::new(&desk.task(), "a test");
        let mut table = Table::<u64, String>::new(0, 1);
        let keys = (0..1_000_000).take_while(|key| {
            let has_room = room.has_room(&table, 1, bytes);
            if has_room {
                table.upsert(u64::hash(*key), *key, || "x".repeat(bytes), |_| {});
            }
            has_room
        });
        keys.count()
    }

    #[test]
    fn rows_of_any_size_fill_the_share_and_not_more() {
        for bytes in [100, 10_000, 1_000_000] {
            let held = taken(bytes) * bytes;
            assert!((1 << 20..6 << 20).contains(&held), "{held} bytes by {bytes}");
        }
    }
}
