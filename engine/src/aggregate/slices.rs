//! How an exchange deals rows out by the hash of their key: among the partitions of the stage behind
//! it, and each partition among slices.
//!
//! A task holds and works through one slice after the other. So a table is small enough for the
//! processor's cache and for little memory, while partitions, and the files that come of them, stay
//! large. Slices are in the order of the hash, as partitions are: slice by slice a partition's keys
//! come in the same order as at once. Why there are so many is not known here.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::part::Part;

/// Partitions, and slices of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slices {
    partitions: usize,
    of_each: usize,
}

impl Slices {
    /// `of_each` slices of each of `partitions`; 0 is taken as 1.
    pub fn new(partitions: usize, of_each: usize) -> Slices {
        Slices { partitions: partitions.max(1), of_each: of_each.max(1) }
    }

    /// Partitions that are not sliced.
    pub fn whole(partitions: usize) -> Slices {
        Slices::new(partitions, 1)
    }

    /// Partitions of the stage behind the exchange.
    pub fn partitions(self) -> usize {
        self.partitions
    }

    /// Slices of each partition.
    pub fn of_each(self) -> usize {
        self.of_each
    }

    /// Slices in all: what the exchange itself has for partitions.
    pub fn count(self) -> usize {
        self.partitions * self.of_each
    }

    /// The slices of `partition`.
    pub fn of(self, partition: usize) -> Range<usize> {
        partition * self.of_each..(partition + 1) * self.of_each
    }

    /// All hashes of one slice.
    pub fn part(self) -> Part {
        Part::whole(self.count())
    }
}

#[cfg(test)]
mod tests {
    use super::super::table::partition_of;
    use super::*;
    use crate::row::mix;

    #[test]
    fn a_hash_lies_in_a_slice_of_its_partition() {
        let slices = Slices::new(7, 3);
        for hash in (0..10_000).map(|i| mix(i, 5)).chain([0, u64::MAX]) {
            let slice = partition_of(hash, slices.count());
            assert!(slices.of(partition_of(hash, 7)).contains(&slice), "hash {hash}");
        }
    }
}
