use std::collections::BTreeMap;

use super::*;
use crate::row::mix;

impl Table<u64, u64> {
    /// Distance of a key from its home.
    fn probe(&self, hash: u64) -> usize {
        let home = self.home(hash);
        self.entries[home..].iter().position(|entry| entry.hash() == hash).unwrap_or(usize::MAX)
    }
}

fn add(table: &mut Table<String, u64>, hash: u64, word: &str) {
    table.upsert(hash, word, || 1, |n| *n.into_mut() += 1);
}

#[test]
fn a_table_counts_like_a_map_and_walks_in_hash_order() {
    let (mut table, mut map) = (Table::new(0, 1), BTreeMap::new());
    for i in 0..200_000u64 {
        let word = format!("{}", mix(i, 7) % 30_000 * 1_000_003);
        add(&mut table, String::hash(&word), &word);
        *map.entry(word).or_insert(0) += 1;
    }
    let hashes: Vec<u64> = table.iter().map(|(h, ..)| h).collect();
    let near = |w: &[u64]| w[0] <= w[1] || w[0] - w[1] < u64::MAX / 1000;
    assert!(hashes.windows(2).all(near), "neighbours are nearly in order");
    let counted: BTreeMap<String, u64> = table.iter().map(|(_, k, n)| (k.to_owned(), *n)).collect();
    assert_eq!(counted, map);
}

#[test]
fn keys_that_share_one_hash_are_told_apart() {
    for hash in [0, 1, u64::MAX] {
        let mut table = Table::new(0, 1);
        (0..1000).for_each(|i| add(&mut table, hash, &format!("k{}", i % 300)));
        assert_eq!(table.len(), 300);
        assert!(table.iter().all(|(_, _, n)| *n == 3 || *n == 4), "hash {hash}");
    }
}

#[test]
fn keys_in_hash_order_and_those_of_one_partition_do_not_crowd() {
    let all: Vec<u64> = (0..300_000).map(|i| mix(i, 0x1234_5678_9abc_def1)).collect();
    for partitions in [1, 100, 4096] {
        let mut hashes = all.clone();
        hashes.retain(|hash| partition_of(*hash, partitions) == 0);
        hashes.sort_unstable();
        let mut table: Table<u64, u64> = Table::new(0, 1);
        hashes.iter().for_each(|h| table.upsert(*h, *h, || 1, |n| *n.into_mut() += 1));
        assert_eq!(table.len(), hashes.len());
        assert!(table.homes() <= 4 * hashes.len().max(FIRST_SLOTS), "{} homes", table.homes());
        let farthest = hashes.iter().map(|hash| table.probe(*hash)).max().unwrap_or(0);
        assert!(farthest < 4 * LONG_PROBE, "a key lies {farthest} slots from its home");
    }
}

#[test]
fn the_lower_half_keeps_its_values_and_the_upper_half_is_dropped_once() {
    let mut table: Table<String, Vec<u64>> = Table::new(0, 3);
    // Partition 1 of 3: the middle third of all hashes.
    let hashes: Vec<u64> = (0..20_000u64).map(|i| mix(i, 9)).filter(|h| partition_of(*h, 3) == 1).collect();
    for hash in &hashes {
        table.upsert(*hash, &format!("a key that lies in the arena {hash}"), || vec![*hash], |_| ());
    }
    table.keep_lower_half();
    let kept: BTreeMap<u64, String> = table.iter().map(|(h, key, _)| (h, key.to_owned())).collect();
    let lower: Vec<u64> = hashes.iter().copied().filter(|h| partition_of(*h, 6) == 2).collect();
    assert_eq!(kept.len(), lower.len());
    assert!(lower.iter().all(|h| kept[h].ends_with(&format!(" {h}"))));
    assert!(table.iter().all(|(h, _, value)| *value == [h]));
}

#[test]
fn a_cleared_table_holds_nothing_and_takes_keys_again() {
    let mut table = Table::new(0, 1);
    (0..5000).for_each(|i| add(&mut table, mix(i, 3), &format!("k{i}")));
    table.clear();
    assert_eq!((table.len(), table.iter().count()), (0, 0));
    (0..5000).for_each(|i| add(&mut table, mix(i, 3), &format!("k{i}")));
    assert_eq!(table.len(), 5000);
}

#[test]
fn partitions_are_equal_ranges_of_the_hash() {
    assert_eq!([0, u64::MAX / 3 - 9, u64::MAX / 3 + 9, u64::MAX].map(|h| partition_of(h, 3)), [0, 0, 1, 2]);
}
