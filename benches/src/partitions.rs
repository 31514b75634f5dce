//! Pairs dealt out by the hash of their key, for hand-written joins and groups.
//!
//! Pairs come in, one at a time; slices of one partition each come out. Partitions make tables
//! small enough for the cache. One thread fills one [`Partitions`]; what becomes of a partition
//! is not known here.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::data::random::scramble;
use crate::files::on_threads;

/// The pairs that one thread read.
pub struct Partitions {
    bits: u32,
    pairs: Vec<Vec<(i64, i64)>>,
}

impl Partitions {
    /// `2^bits` partitions without pairs.
    pub fn new(bits: u32) -> Partitions {
        Partitions { bits, pairs: vec![Vec::new(); 1 << bits] }
    }

    /// Adds a pair to the partition of its key.
    #[inline]
    pub fn push(&mut self, key: i64, value: i64) {
        self.pairs[(hash(key) >> (u64::BITS - self.bits)) as usize].push((key, value));
    }

    /// The pairs of a partition, in the order in which they came.
    pub fn of(&self, partition: usize) -> &[(i64, i64)] {
        &self.pairs[partition]
    }
}

/// Where in a table of its partition to look for a key first, before the table's mask.
#[inline]
pub fn slot_of(key: i64) -> usize {
    // The high bits are the same for all keys of a partition, and the mask leaves them out.
    hash(key) as usize
}

/// 64 bits, all of them good.
#[inline]
fn hash(key: i64) -> u64 {
    scramble(key as u64)
}

/// Calls `each` for every partition on `slots` threads, which take one after the other; what each
/// thread made of its partitions.
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
