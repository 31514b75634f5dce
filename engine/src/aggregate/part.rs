//! A range of the hashes in one exchange partition.

use super::table::partition_of;

/// A partition is cut into more ranges than this only if its keys cannot be separated by hash.
const MAX_WAYS: u64 = 1 << 32;

/// One of `ways` equal ranges of the hashes of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Number of partitions of the exchange.
    partitions: u64,
    /// Number of ranges in each partition.
    ways: u64,
    /// Index of this range.
    at: u64,
}

impl Part {
    /// The range of all hashes of one of `partitions` partitions.
    pub fn whole(partitions: usize) -> Part {
        Part { partitions: partitions.max(1) as u64, ways: 1, at: 0 }
    }

    /// Whether this range is the whole partition.
    pub fn is_whole(&self) -> bool {
        self.ways == 1
    }

    /// Whether the range contains `hash`, which must belong to the partition.
    #[inline]
    pub fn has(&self, hash: u64) -> bool {
        // The overflow of the multiplication is the partition, and the low 64 bits are the position in
        // it.
        self.is_whole()
            || partition_of(hash.wrapping_mul(self.partitions), self.ways as usize) as u64 == self.at
    }

    /// Cuts the range into `ways` ranges, in hash order. `None` when the range is too narrow.
    pub fn cut(self, ways: usize) -> Option<impl DoubleEndedIterator<Item = Part>> {
        let ways = ways as u64;
        let all = self.ways.checked_mul(ways).filter(|all| *all <= MAX_WAYS)?;
        Some((0..ways).map(move |i| Part { ways: all, at: self.at * ways + i, ..self }))
    }

    /// The lower half. `None` when the range is too narrow.
    pub fn lower_half(self) -> Option<Part> {
        self.cut(2)?.next()
    }

    /// The next range of the same width, if there is one.
    pub fn next(self) -> Option<Part> {
        let at = self.at + 1;
        (at < self.ways).then_some(Part { at, ..self })
    }

    /// Factor by which a table multiplies the hashes of this range, so that they fill it evenly.
    pub fn scale(&self) -> usize {
        self.partitions.wrapping_mul(self.ways) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::mix;

    #[test]
    fn every_hash_of_a_partition_lies_in_one_part_and_parts_are_even() {
        let hashes = (0..40_000).map(|i| mix(i, 0x1234_5678_9abc_def1));
        let hashes: Vec<u64> = hashes.filter(|hash| partition_of(*hash, 3) == 1).collect();
        let cut = |part: Part, ways| part.cut(ways).unwrap().collect::<Vec<_>>();
        let parts: Vec<Part> = cut(Part::whole(3), 5).into_iter().flat_map(|part| cut(part, 2)).collect();
        let counts: Vec<usize> =
            parts.iter().map(|part| hashes.iter().filter(|hash| part.has(**hash)).count()).collect();
        assert_eq!(counts.iter().sum::<usize>(), hashes.len());
        assert!(counts.iter().all(|n| (1000..1700).contains(n)), "{counts:?}");
    }

    #[test]
    fn halves_and_those_behind_them_cover_the_partition() {
        let mut part = Part::whole(3).lower_half().and_then(Part::lower_half).unwrap();
        let mut parts = vec![part];
        while let Some(next) = part.next() {
            part = next;
            parts.push(part);
        }
        assert_eq!(parts, Part::whole(3).cut(4).unwrap().collect::<Vec<_>>());
    }

    #[test]
    fn a_range_that_is_as_narrow_as_one_hash_is_not_cut() {
        let narrow = Part::whole(2).cut(1 << 31).unwrap().next().unwrap();
        assert!(narrow.cut(4).is_none());
    }
}
