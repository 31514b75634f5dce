//! The hand-written join, for a right side with unique keys.
//!
//! Partitions both tables by the hash of their keys while it reads them. Each partition of the right
//! side becomes a small table, in which the left rows of the same partition look up their segment.

use std::path::Path;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use kiln::Result;

use super::segments::Segments;
use crate::files::scan;
use crate::partitions::{Partitions, for_each_partition, slot_of};

/// Binary logarithm of the number of partitions: 10 M rows give tables of some 40 k keys, half of the
/// L2 cache.
const PARTITION_BITS: u32 = 8;

/// Value of a free slot; segments are not negative.
const FREE: (i64, i64) = (0, -1);

/// Joins the tables in `input` on `slots` threads.
///
/// # Errors
/// Fails when a file cannot be read.
pub fn run(input: &Path, slots: usize) -> Result<Segments> {
    let left = read(&input.join("left"), slots)?;
    let right = read(&input.join("right"), slots)?;
    let parts = for_each_partition(1 << PARTITION_BITS, slots, |partition, segments: &mut Segments| {
        let table = Table::of(right.iter().map(|rows| rows.of(partition)));
        for (key, amount) in left.iter().flat_map(|rows| rows.of(partition)) {
            if let Some(segment) = table.get(*key) {
                segments.add(segment, 1, *amount);
            }
        }
    });
    let mut segments = Segments::default();
    parts.iter().for_each(|part| segments.merge(part));
    Ok(segments)
}

/// Both columns of a table, partitioned.
fn read(folder: &Path, slots: usize) -> Result<Vec<Partitions>> {
    scan(
        folder,
        slots,
        || Partitions::new(PARTITION_BITS),
        |partitions, batch| {
            let [keys, values] = [0, 1].map(|i| batch.column(i).as_primitive::<Int64Type>().values());
            keys.iter().zip(values).for_each(|(key, value)| partitions.push(*key, *value));
        },
    )
}

/// Segments by key: open addressing with linear probing, at most half full.
struct Table(Vec<(i64, i64)>);

impl Table {
    fn of<'r>(pieces: impl Iterator<Item = &'r [(i64, i64)]> + Clone) -> Table {
        let rows: usize = pieces.clone().map(<[_]>::len).sum();
        let mut slots = vec![FREE; (rows * 2).next_power_of_two()];
        let mask = slots.len() - 1;
        for (key, segment) in pieces.flatten() {
            let mut at = slot_of(*key) & mask;
            while slots[at] != FREE {
                at = (at + 1) & mask;
            }
            slots[at] = (*key, *segment);
        }
        Table(slots)
    }

    #[inline]
    fn get(&self, key: i64) -> Option<i64> {
        let mask = self.0.len() - 1;
        let mut at = slot_of(key) & mask;
        while self.0[at] != FREE {
            if self.0[at].0 == key {
                return Some(self.0[at].1);
            }
            at = (at + 1) & mask;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::files::pairs;
    use crate::harness::scratch::Scratch;
    use crate::join::data::{Keys, tables};

    #[test]
    fn it_joins_as_a_plain_map_does_with_any_number_of_threads() {
        for keys in [Keys::Uniform, Keys::Skewed] {
            let scratch = Scratch::new().expect("the temporary directory is writable");
            tables(&scratch.output(), 20_011, keys).expect("tables can be written");
            let right: HashMap<i64, i64> = pairs(&scratch.output().join("right")).into_iter().collect();
            assert_eq!(right.len(), 20_011, "the right side has every key once");
            let mut expected = Segments::default();
            for (key, amount) in pairs(&scratch.output().join("left")) {
                expected.add(right[&key], 1, amount);
            }
            for slots in 1..=3 {
                let found = run(&scratch.output(), slots).expect("the tables are there");
                assert_eq!(found, expected, "{keys:?}, {slots} slots");
            }
        }
    }
}
