//! `join`, compared with two nested loops.

use crate::random::Random;
use crate::support::{check, for_each_seed};

/// All pairs of values with equal keys.
fn joined<K: PartialEq + Clone, V: Clone, W: Clone>(left: &[(K, V)], right: &[(K, W)]) -> Vec<(K, (V, W))> {
    let matches = |(key, value): &(K, V)| {
        let equal = right.iter().filter(|(other, _)| other == key);
        equal.map(|(_, other)| (key.clone(), (value.clone(), other.clone()))).collect::<Vec<_>>()
    };
    left.iter().flat_map(matches).collect()
}

#[test]
fn join_pairs_every_left_row_with_every_right_row_of_its_key() {
    for_each_seed(|seed| {
        let mut random = Random::new(seed);
        let left = random.pairs(150, 30);
        let right = random.rows(80, |r| (r.below(40), r.string()));
        check(&joined(&left, &right), |s| s.rows(&left).join(s.rows(&right)).collect());
        check(&joined(&right, &left), |s| s.rows(&right).join(s.rows(&left)).collect());
    });
}

#[test]
fn join_on_strings_takes_options_and_strings_as_values() {
    for_each_seed(|seed| {
        let mut random = Random::new(seed);
        let left = random.rows(100, |r| (r.string(), (r.below(2) == 0).then(|| r.string())));
        let right = random.rows(100, |r| (r.string(), r.string()));
        check(&joined(&left, &right), |s| s.rows(&left).join(s.rows(&right)).collect());
    });
}

#[test]
fn join_of_sides_without_a_common_key_is_empty() {
    let left: Vec<(u64, i64)> = (0..100).map(|key| (key * 2, 1)).collect();
    let right: Vec<(u64, i64)> = (0..100).map(|key| (key * 2 + 1, 1)).collect();
    check(&joined(&left, &right), |s| s.rows(&left).join(s.rows(&right)).collect());
}

#[test]
fn join_with_an_empty_side_is_empty() {
    let some: Vec<(u64, i64)> = (0..50).map(|key| (key, 1)).collect();
    let none: Vec<(u64, String)> = Vec::new();
    check(&joined(&some, &none), |s| s.rows(&some).join(s.rows(&none)).collect());
    check(&joined(&none, &some), |s| s.rows(&none).join(s.rows(&some)).collect());
    check(&joined(&none, &none), |s| s.rows(&none).join(s.rows(&none)).collect());
}

#[test]
fn join_of_a_dataset_with_itself_squares_each_key() {
    for_each_seed(|seed| {
        let pairs = Random::new(seed).pairs(120, 15);
        check(&joined(&pairs, &pairs), |s| {
            let rows = s.rows(&pairs);
            rows.clone().join(rows).collect()
        });
    });
}

#[test]
fn join_behind_reduce_by_key_finds_the_keys_where_they_lie() {
    for_each_seed(|seed| {
        let mut random = Random::new(seed);
        let (left, right) = (random.pairs(200, 40), random.pairs(200, 40));
        let (left_sums, right_sums) = (sums(&left), sums(&right));
        // Both sides hash-partitioned, only one of them, and with a filter and a map_values in between.
        check(&joined(&left_sums, &right_sums), |s| {
            s.rows(&left)
                .reduce_by_key(|a, b| a + b)
                .join(s.rows(&right).reduce_by_key(|a, b| a + b))
                .collect()
        });
        check(&joined(&left_sums, &right), |s| {
            s.rows(&left).reduce_by_key(|a, b| a + b).join(s.rows(&right)).collect()
        });
        check(&joined(&left, &right_sums), |s| {
            s.rows(&left).join(s.rows(&right).reduce_by_key(|a, b| a + b)).collect()
        });
        let odd: Vec<(u64, i64)> =
            left_sums.iter().filter(|p| p.0 % 2 == 1).map(|p| (p.0, p.1 + 1)).collect();
        check(&joined(&odd, &right), |s| {
            let odd = s
                .rows(&left)
                .reduce_by_key(|a, b| a + b)
                .filter(|(key, _)| key % 2 == 1)
                .map_values(|n| n + 1);
            odd.join(s.rows(&right)).collect()
        });
    });
}

#[test]
fn join_behind_a_map_that_changes_keys_moves_rows_to_the_new_ones() {
    for_each_seed(|seed| {
        let mut random = Random::new(seed);
        let (left, right) = (random.pairs(200, 40), random.pairs(100, 8));
        let moved: Vec<(u64, i64)> = sums(&left).into_iter().map(|(key, n)| (key / 5, n)).collect();
        check(&joined(&moved, &right), |s| {
            let moved = s.rows(&left).reduce_by_key(|a, b| a + b).map(|(key, n): (u64, i64)| (key / 5, n));
            moved.join(s.rows(&right)).collect()
        });
    });
}

#[test]
fn joins_stand_behind_each_other() {
    for_each_seed(|seed| {
        let mut random = Random::new(seed);
        let (a, b, c) = (random.pairs(60, 10), random.pairs(40, 12), random.pairs(20, 10));
        check(&joined(&joined(&a, &b), &c), |s| s.rows(&a).join(s.rows(&b)).join(s.rows(&c)).collect());
        check(&joined(&a, &joined(&b, &c)), |s| s.rows(&a).join(s.rows(&b).join(s.rows(&c))).collect());
    });
}

#[test]
fn sides_of_different_width_meet_in_one_number_of_partitions() {
    for_each_seed(|seed| {
        let mut random = Random::new(seed);
        let (left, right) = (random.pairs(150, 30), random.pairs(150, 30));
        // The plain side asks for one partition after its exchange, the other one for the setting's
        // number.
        check(&joined(&sums(&left), &sums(&right)), |s| {
            let narrow = s.cx().parallelize_in(2, left.clone()).reduce_by_key(|a, b| a + b);
            narrow.join(s.rows(&right).reduce_by_key(|a, b| a + b)).collect()
        });
    });
}

fn sums(pairs: &[(u64, i64)]) -> Vec<(u64, i64)> {
    let mut sums = std::collections::BTreeMap::new();
    pairs.iter().for_each(|(key, n)| *sums.entry(*key).or_insert(0) += n);
    sums.into_iter().collect()
}
