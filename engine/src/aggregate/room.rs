//! Memory reservation of a hash table in a task.
//!
//! The size of slots and long keys is exact. The heap memory of accumulators is estimated from samples,
//! taken at growing distances, and from the size of the rows since the last sample. The caller decides
//! what to do when memory runs out.

use std::mem::needs_drop;

use datafusion_execution::memory_pool::MemoryReservation;

use super::table::Table;
use crate::row::{ColumnBuilder, Key, Row};
use crate::task::Task;

/// Number of accumulators in a sample, and the size at which a sample ends early.
const SAMPLE: usize = 64;
const SAMPLE_BYTES: usize = 1 << 20;
/// Upper limit of the rows between two samples.
const SAMPLE_ROWS: usize = 1 << 16;
/// Divisor of the task's share: the rows between two samples take at most this part of it.
const STEP_SHARE: usize = 16;

/// The memory that a task has reserved for one table.
pub struct Room {
    reservation: MemoryReservation,
    step: usize,
    /// Estimated heap bytes of one accumulator, without its slot.
    heap: usize,
    /// Number and size of the rows since the last sample. All of them may be in accumulators now.
    rows: usize,
    grown: usize,
    /// Number of rows between the last sample and the next.
    distance: usize,
}

impl Room {
    /// An empty reservation in the share of `task`.
    pub fn new(task: &Task<'_>, what: &'static str) -> Room {
        let step = task.env.memory.task_bytes() / STEP_SHARE;
        Room { reservation: task.reserve(what), step, heap: 0, rows: 0, grown: 0, distance: 1 }
    }

    /// Bytes of rows after which the caller should ask again.
    pub fn step(&self) -> usize {
        self.step
    }

    /// Whether `table` may grow by `rows` rows of `bytes` in total. If so, they count as part of the
    /// table from now on.
    pub fn has_room<K: Key, A: Row>(&mut self, table: &Table<K, A>, rows: usize, bytes: usize) -> bool {
        if !needs_drop::<A>() {
            return self.grow_to(table.size_bytes_after(rows));
        }
        if self.rows >= self.distance || self.grown >= self.step {
            self.sample(table);
        }
        let mut fits = self.fits(table, rows, bytes);
        if !fits && self.rows > 0 {
            // Rows that were merged into one accumulator may take much less memory than they did as
            // rows.
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

    /// Grows the reservation to `bytes`. Returns whether there was room.
    pub fn grow_to(&mut self, bytes: usize) -> bool {
        let missing = bytes.saturating_sub(self.reservation.size());
        missing == 0 || self.reservation.try_grow(missing).is_ok()
    }

    /// Frees the whole reservation, after the table was emptied.
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

    /// Number of rows of `bytes` each that fit the table of a task with a share of 8 MiB, with one row
    /// per key.
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
