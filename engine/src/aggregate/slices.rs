//! Hash partitioning in two levels: the partitions of the next stage, and sub-partitions of each.
//!
//! A task processes one sub-partition after the other. A hash table therefore fits in the processor's
//! cache and in little memory, while partitions, and the files written from them, stay large.
//! Sub-partitions are in hash order, like partitions, so reading them one by one gives the keys of a
//! partition in the same order as reading it whole. The caller decides how many there are.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::part::Part;

/// Number of partitions, and of sub-partitions in each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slices {
    partitions: usize,
    of_each: usize,
}

impl Slices {
    /// `partitions` partitions of `of_each` sub-partitions. 0 counts as 1.
    pub fn new(partitions: usize, of_each: usize) -> Slices {
        Slices { partitions: partitions.max(1), of_each: of_each.max(1) }
    }

    /// Partitions of a single sub-partition each.
    pub fn whole(partitions: usize) -> Slices {
        Slices::new(partitions, 1)
    }

    /// Number of partitions of the stage after the exchange.
    pub fn partitions(self) -> usize {
        self.partitions
    }

    /// Number of sub-partitions in each partition.
    pub fn of_each(self) -> usize {
        self.of_each
    }

    /// Number of all sub-partitions, which are the partitions of the exchange itself.
    pub fn count(self) -> usize {
        self.partitions * self.of_each
    }

    /// The sub-partitions of `partition`.
    pub fn of(self, partition: usize) -> Range<usize> {
        partition * self.of_each..(partition + 1) * self.of_each
    }

    /// The range of all hashes of one sub-partition.
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
