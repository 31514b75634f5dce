//! Hash partitioning of pairs, for hand-written joins and groups.
//!
//! Partitions make tables small enough for the cache. Each thread fills its own [`Partitions`].

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::data::random::scramble;
use crate::files::on_threads;

/// The pairs that one thread has read.
pub struct Partitions {
    bits: u32,
    pairs: Vec<Vec<(i64, i64)>>,
}

impl Partitions {
    /// `2^bits` empty partitions.
    pub fn new(bits: u32) -> Partitions {
        Partitions { bits, pairs: vec![Vec::new(); 1 << bits] }
    }

    /// Adds a pair to the partition of its key.
    #[inline]
    pub fn push(&mut self, key: i64, value: i64) {
        self.pairs[(hash(key) >> (u64::BITS - self.bits)) as usize].push((key, value));
    }

    /// The pairs of a partition, in the order of `push`.
    pub fn of(&self, partition: usize) -> &[(i64, i64)] {
        &self.pairs[partition]
    }
}

/// The start position of a probe in a partition's table, before the table's mask is applied.
#[inline]
pub fn slot_of(key: i64) -> usize {
    // The high bits are equal for all keys of a partition; the mask removes them.
    hash(key) as usize
}

/// A 64-bit hash whose bits are all well mixed.
#[inline]
fn hash(key: i64) -> u64 {
    scramble(key as u64)
}

/// Calls `each` for every partition on `slots` threads, each of which takes the next one when it is
/// done. Returns the state of each thread.
pub fn for_each_partition<S: Default + Send>(
    count: usize,
    slots: usize,
    each: impl Fn(usize, &mut S) + Sync,
) -> Vec<S> {
    let next = AtomicUsize::new(0);
    on_threads((0..slots).map(|_| {
        || {
            let mut state = S::default();
            loop {
                match next.fetch_add(1, Ordering::Relaxed) {
                    partition if partition < count => each(partition, &mut state),
                    _ => return state,
                }
            }
        }
    }))
}
