//! Operators and actions with an order: `sort_by_key`, `collect`, `take` and `top`.

use std::cmp::Reverse;

use crate::random::Random;
use crate::support::{check_ordered, for_each_seed};

#[test]
fn sort_by_key_sorts_over_all_partitions() {
    for_each_seed(|seed| {
        let pairs = Random::new(seed).rows(500, |r| (r.around_zero(1 << 40), r.string()));
        let mut expected = pairs.clone();
        expected.sort();
        check_ordered(&expected, |s| s.rows(&pairs).sort_by_key().collect());
    });
}

#[test]
fn sort_by_key_leaves_pairs_of_one_key_in_their_order() {
    for_each_seed(|seed| {
        let mut random = Random::new(seed);
        let pairs: Vec<(i64, u64)> = (0..600).map(|at| (random.around_zero(3), at)).collect();
        let mut expected = pairs.clone();
        expected.sort_by_key(|pair| pair.0);
        check_ordered(&expected, |s| s.rows(&pairs).sort_by_key().collect());
    });
}

#[test]
fn sort_by_key_works_when_all_keys_are_one() {
    let pairs: Vec<(String, u64)> = (0..300).map(|at| ("the only key".to_owned(), at)).collect();
    check_ordered(&pairs, |s| s.rows(&pairs).sort_by_key().collect());
}

#[test]
fn sort_by_key_sorts_what_is_sorted_and_what_is_reversed() {
    let up: Vec<(i64, bool)> = (-300..300).map(|key| (key, true)).collect();
    let down: Vec<(i64, bool)> = up.iter().rev().copied().collect();
    check_ordered(&up, |s| s.rows(&up).sort_by_key().collect());
    check_ordered(&up, |s| s.rows(&down).sort_by_key().collect());
}

#[test]
fn a_reversed_key_is_sorted_in_descending_order_and_ties_stay() {
    for_each_seed(|seed| {
        let mut random = Random::new(seed);
        let rows: Vec<(String, i64, u64)> =
            (0..500).map(|at| (random.string(), random.around_zero(4), at)).collect();
        let mut expected = rows.clone();
        expected.sort_by_key(|row| (Reverse(row.1), row.0.clone()));
        check_ordered(&expected, |s| {
            s.rows(&rows).sort_by(|(word, n, _)| (Reverse(n), word.to_owned())).collect()
        });
        expected.sort_by(|a, b| b.0.cmp(&a.0).then(a.2.cmp(&b.2)));
        let shuffled: Vec<(Reverse<String>, u64)> =
            rows.iter().map(|row| (Reverse(row.0.clone()), row.2)).collect();
        let expected: Vec<_> = expected.into_iter().map(|row| (Reverse(row.0), row.2)).collect();
        check_ordered(&expected, |s| s.rows(&shuffled).sort_by_key().collect());
    });
}

#[test]
fn a_sort_may_stand_behind_and_before_other_operators() {
    for_each_seed(|seed| {
        let words = Random::new(seed).rows(400, Random::string);
        let mut longest = std::collections::BTreeMap::<u64, u64>::new();
        words.iter().for_each(|word| *longest.entry(word.len() as u64).or_default() += 1);
        let mut expected: Vec<(u64, u64)> = longest.into_iter().map(|(length, n)| (n, length)).collect();
        expected.sort();
        check_ordered(&expected, |s| {
            let lengths = s.rows(&words).map(|word| word.len() as u64).count_by_value().sort_by_key();
            lengths.map(|(length, n)| ((n, length), true)).sort_by_key().map(|(pair, _)| pair).collect()
        });
    });
}

#[test]
fn collect_gives_rows_in_the_order_of_the_partitions() {
    for_each_seed(|seed| {
        let rows = Random::new(seed).rows(1000, Random::next);
        check_ordered(&rows, |s| s.rows(&rows).collect());
    });
}

#[test]
fn take_gives_the_first_rows() {
    for_each_seed(|seed| {
        let rows = Random::new(seed).rows(100, Random::string);
        for count in [0, 1, 37, 100, 101, usize::MAX] {
            let expected = &rows[..count.min(rows.len())];
            check_ordered(expected, |s| s.rows(&rows).take(count));
        }
    });
}

#[test]
fn take_behind_a_flat_map_and_behind_a_sort_gives_the_first_rows() {
    for_each_seed(|seed| {
        let numbers = Random::new(seed).rows(100, |r| r.below(1000));
        let many: Vec<u64> = numbers.iter().flat_map(|n| [*n; 5]).take(33).collect();
        check_ordered(&many, |s| s.rows(&numbers).flat_map(|n: u64| [n; 5]).take(33));
        let mut sorted = numbers.clone();
        sorted.sort();
        check_ordered(&sorted[..33], |s| {
            s.rows(&numbers).key_by(|n| n).sort_by_key().map(|(_, n)| n).take(33)
        });
    });
}

#[test]
fn top_gives_the_rows_with_the_largest_keys_and_of_ties_the_first() {
    for_each_seed(|seed| {
        let mut random = Random::new(seed);
        let rows: Vec<(i64, u64)> = (0..400).map(|at| (random.around_zero(6), at)).collect();
        let mut ranked = rows.clone();
        ranked.sort_by_key(|row| Reverse(row.0));
        for count in [0, 1, 50, 400, 500] {
            let expected = &ranked[..count.min(ranked.len())];
            check_ordered(expected, |s| s.rows(&rows).top(count, |(key, _)| key));
        }
    });
}

#[test]
fn top_takes_keys_that_are_no_rows() {
    for_each_seed(|seed| {
        let words = Random::new(seed).rows(300, Random::string);
        let mut expected = words.clone();
        expected.sort_by_key(|word| (Reverse(word.len()), word.clone()));
        expected.truncate(20);
        check_ordered(&expected, |s| s.rows(&words).top(20, |word| (word.len(), Reverse(word.to_owned()))));
    });
}
