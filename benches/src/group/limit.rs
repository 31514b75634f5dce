//! The hand-written group.
//!
//! Partitions rows by the hash of their key while it reads them, because in one table of all keys every
//! row would be a cache miss. Each partition then has its own small table.

use std::path::Path;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use kiln::Result;

use super::sums::Sums;
use crate::files::scan;
use crate::partitions::{Partitions, for_each_partition, slot_of};

/// Binary logarithm of the number of partitions: 60 M rows give partitions of some 60 k rows.
const PARTITION_BITS: u32 = 10;

/// Sums the table in `input` by key on `slots` threads.
///
/// # Errors
/// Fails when a file cannot be read.
pub fn run(input: &Path, slots: usize) -> Result<Sums> {
    let rows = scan(
        input,
        slots,
        || Partitions::new(PARTITION_BITS),
        |partitions, batch| {
            let [keys, values] = [0, 1].map(|i| batch.column(i).as_primitive::<Int64Type>().values());
            keys.iter().zip(values).for_each(|(key, value)| partitions.push(*key, *value));
        },
    )?;
    let sums = for_each_partition(1 << PARTITION_BITS, slots, |partition, all: &mut Sums| {
        let rows: Vec<&[(i64, i64)]> = rows.iter().map(|rows| rows.of(partition)).collect();
        *all = all.and(sums_of(&rows));
    });
    Ok(sums.into_iter().fold(Sums::default(), Sums::and))
}

/// The sums of one partition, whose rows are in several slices.
fn sums_of(pieces: &[&[(i64, i64)]]) -> Sums {
    let rows: usize = pieces.iter().map(|piece| piece.len()).sum();
    let mask = (rows * 2).next_power_of_two() - 1;
    // A slot is free if its count is 0.
    let mut table = vec![(0i64, 0i64, 0u32); mask + 1];
    for (key, value) in pieces.iter().copied().flatten() {
        let mut at = slot_of(*key);
        loop {
            let slot = &mut table[at & mask];
            if slot.2 == 0 || slot.0 == *key {
                *slot = (*key, slot.1 + value, 1);
                break;
            }
            at += 1;
        }
    }
    let filled = table.iter().filter(|slot| slot.2 > 0);
    filled.fold(Sums::default(), |all, slot| all.and(Sums::of(slot.1)))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::files::pairs;
    use crate::group::data;
    use crate::harness::scratch::Scratch;

    #[test]
    fn it_sums_as_a_plain_map_does_with_any_number_of_threads() {
        let scratch = Scratch::new().expect("the temporary directory is writable");
        data::table(&scratch.output(), 30_011).expect("a table can be written");
        let mut plain: HashMap<i64, i64> = HashMap::new();
        for (key, value) in pairs(&scratch.output()) {
            *plain.entry(key).or_default() += value;
        }
        assert_eq!(plain.len(), 25_010, "five of six keys are new, and all of them come up");
        let expected = plain.into_values().map(Sums::of).fold(Sums::default(), Sums::and);
        for slots in 1..=3 {
            assert_eq!(run(&scratch.output(), slots).expect("the table is there"), expected, "{slots} slots");
        }
    }
}
