//! A part of the hashes that one exchange partition holds.

use super::table::partition_of;

/// More parts than this come only from keys that no cut can separate.
const MAX_WAYS: u64 = 1 << 32;

/// One of `ways` equal ranges of the hashes of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Partitions of the exchange.
    partitions: u64,
    /// Into how many ranges each partition is cut.
    ways: u64,
    /// Which of them this is.
    at: u64,
}

impl Part {
    /// All hashes of one of `partitions`.
    pub fn whole(partitions: usize) -> Part {
        Part { partitions: partitions.max(1) as u64, ways: 1, at: 0 }
    }

    /// Whether this is all of the partition.
    pub fn is_whole(&self) -> bool {
        self.ways == 1
    }

    /// Whether the range holds `hash`, which must be one of the partition.
    #[inline]
    pub fn has(&self, hash: u64) -> bool {
        // The partition is what the multiplication carries out at the top; the rest is where the hash
        // lies within it.
        self.is_whole()
            || partition_of(hash.wrapping_mul(self.partitions), self.ways as usize) as u64 == self.at
    }

    /// The range cut into `ways`, in the order of the hash; nothing when it is too narrow for that.
    pub fn cut(self, ways: usize) -> Option<impl DoubleEndedIterator<Item = Part>> {
        let ways = ways as u64;
        let all = self.ways.checked_mul(ways).filter(|all| *all <= MAX_WAYS)?;
        Some((0..ways).map(move |i| Part { ways: all, at: self.at * ways + i, ..self }))
    }

    /// Its lower half; nothing when it is too narrow for that.
    pub fn lower_half(self) -> Option<Part> {
        self.cut(2)?.next()
    }

    /// The range behind it, as wide; nothing behind the last.
    pub fn next(self) -> Option<Part> {
        let at = self.at + 1;
        (at < self.ways).then_some(Part { at, ..self })
    }

    /// By what a table multiplies the hashes of this range, so that they fill it evenly.
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
