//! Operators that bring equal keys together, compared with a `BTreeMap`.

use std::collections::{BTreeMap, BTreeSet};

use kiln::{Partitioner, Row};

use crate::random::Random;
use crate::support::{check, for_each_seed, for_each_setting, local};

/// An accumulator that is neither key nor value.
#[derive(Row, Clone, Debug, PartialEq)]
struct Summary {
    count: u64,
    longest: String,
    lowest: Option<i64>,
}

/// Without several partitions these tests would not show that rows get to the right one.
#[test]
fn these_tests_run_with_one_and_with_several_partitions_behind_an_exchange() {
    for_each_setting(|s, name| {
        let plan = s.rows(&[1u64, 2, 3]).distinct().explain().unwrap();
        let (partitions, slices) = (s.partitions, 1 + s.partitions % 3);
        let (partitions, slices) =
            (format!("the key, {partitions} partition"), format!(" of {slices} slices"));
        assert!(plan.contains(&partitions) && plan.contains(&slices), "{name}: {plan}");
    });
}

/// The values of each key, in order.
fn groups<K: Ord + Clone, V: Clone>(pairs: &[(K, V)]) -> BTreeMap<K, Vec<V>> {
    let mut groups = BTreeMap::<K, Vec<V>>::new();
    pairs.iter().for_each(|(key, value)| groups.entry(key.clone()).or_default().push(value.clone()));
    groups
}

#[test]
fn reduce_by_key_adds_across_partitions() {
    for_each_seed(|seed| {
        let pairs = Random::new(seed).pairs(500, 40);
        let expected: Vec<(u64, i64)> =
            groups(&pairs).into_iter().map(|(k, v)| (k, v.iter().sum())).collect();
        check(&expected, |s| s.rows(&pairs).reduce_by_key(|a, b| a + b).collect());
    });
}

#[test]
fn reduce_by_key_works_on_values_that_own_memory() {
    for_each_seed(|seed| {
        let pairs = Random::new(seed).rows(400, |r| (r.below(30), r.string()));
        let max = |(key, values): (u64, Vec<String>)| (key, values.into_iter().max().unwrap());
        let expected: Vec<(u64, String)> = groups(&pairs).into_iter().map(max).collect();
        check(&expected, |s| s.rows(&pairs).reduce_by_key(|a, b| a.max(b)).collect());
    });
}

#[test]
fn reduce_by_key_never_calls_its_closure_for_a_key_that_occurs_once() {
    let pairs: Vec<(u64, i64)> = (0..300).map(|key| (key, -1)).collect();
    check(&pairs, |s| {
        s.rows(&pairs).reduce_by_key(|_, _| unreachable!("no two values have one key")).collect()
    });
}

#[test]
fn aggregate_by_key_keeps_an_accumulator_of_another_type() {
    for_each_seed(|seed| {
        let pairs = Random::new(seed).rows(500, |r| (r.below(20), (r.string(), r.around_zero(99))));
        let summary = |(key, values): (u64, Vec<(String, i64)>)| {
            // The greater one of two longest texts, so that the fold is commutative.
            let longest = values.iter().map(|v| (v.0.len(), v.0.clone())).max().unwrap().1;
            (key, Summary { count: values.len() as u64, longest, lowest: values.iter().map(|v| v.1).min() })
        };
        let expected: Vec<(u64, Summary)> = groups(&pairs).into_iter().map(summary).collect();
        check(&expected, |s| s.rows(&pairs).aggregate_by_key(nothing(), add, merge).collect());
    });
}

fn nothing() -> Summary {
    Summary { count: 0, longest: String::new(), lowest: None }
}

fn add(acc: Summary, (text, n): (&str, i64)) -> Summary {
    merge(acc, Summary { count: 1, longest: text.to_owned(), lowest: Some(n) })
}

fn merge(mut acc: Summary, other: Summary) -> Summary {
    acc.count += other.count;
    if (other.longest.len(), &other.longest) > (acc.longest.len(), &acc.longest) {
        acc.longest = other.longest;
    }
    acc.lowest = acc.lowest.into_iter().chain(other.lowest).min();
    acc
}

#[test]
fn count_by_value_counts_each_row() {
    for_each_seed(|seed| {
        let words = Random::new(seed).rows(500, Random::string);
        let keyed: Vec<(String, ())> = words.iter().map(|w| (w.clone(), ())).collect();
        let expected: Vec<(String, u64)> =
            groups(&keyed).into_iter().map(|(w, v)| (w, v.len() as u64)).collect();
        check(&expected, |s| s.rows(&words).count_by_value().collect());
    });
}

#[test]
fn distinct_keeps_one_of_each() {
    for_each_seed(|seed| {
        let words = Random::new(seed).rows(500, Random::string);
        let expected: Vec<String> = words.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect();
        check(&expected, |s| s.rows(&words).distinct().collect());
    });
}

#[test]
fn distinct_of_distinct_changes_nothing() {
    for_each_seed(|seed| {
        let rows = Random::new(seed).pairs(300, 10);
        let expected: Vec<(u64, i64)> = rows.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
        check(&expected, |s| s.rows(&rows).distinct().distinct().collect());
    });
}

#[test]
fn keyed_operators_stand_behind_each_other() {
    for_each_seed(|seed| {
        let lines = Random::new(seed).rows(300, Random::line);
        let mut counts = BTreeMap::<&str, u64>::new();
        lines
            .iter()
            .flat_map(|line| line.split_whitespace())
            .for_each(|word| *counts.entry(word).or_default() += 1);
        let by_length: Vec<(u64, u64)> = counts.iter().map(|(word, n)| (word.len() as u64, *n)).collect();
        let expected: Vec<(u64, u64)> = groups(&by_length)
            .into_iter()
            .map(|(length, counts)| (length, counts.into_iter().max().unwrap()))
            .collect();
        check(&expected, |s| {
            let counts = s.rows(&lines).flat_map_to(str::split_whitespace).count_by_value();
            counts.map(|(word, n)| (word.len() as u64, n)).reduce_by_key(u64::max).collect()
        });
    });
}

#[test]
fn more_distinct_keys_than_a_table_starts_with_are_all_counted() {
    // Every key occurs twice, far apart, with partial results of one key in many partitions.
    let keys: Vec<u64> =
        (0..40_000).chain(0..40_000).map(|i: u64| i.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect();
    let counts = local().parallelize_in(5, keys).count_by_value().cache();
    assert_eq!(counts.count().unwrap(), 40_000);
    assert_eq!(counts.filter(|(_, n)| n != 2).count().unwrap(), 0);
}

#[test]
fn pairs_that_lie_by_their_key_have_the_sums_that_they_would_have_had_anywhere() {
    for_each_seed(|seed| {
        let rows = Random::new(seed).rows(500, |r| (r.below(60), r.below(1000)));
        let mut sums = BTreeMap::<u64, u64>::new();
        rows.iter().for_each(|(key, n)| *sums.entry(*key).or_default() += n);
        let expected: Vec<(u64, u64)> = sums.clone().into_iter().collect();
        check(&expected, |s| {
            s.rows(&rows).partition_by(Partitioner::Hash(3)).reduce_by_key(|a, b| a + b).collect()
        });
        check(&expected, |s| {
            let halves = s.rows(&rows).reduce_by_key(|a, b| a + b).flat_map_values(|n| [n / 2, n - n / 2]);
            halves.fold_by_key(0, |a, b| a + b).collect()
        });
        let squares: Vec<(u64, u64)> = expected.iter().map(|(key, sum)| (*key, sum * sum)).collect();
        check(&squares, |s| {
            let (left, right) = (s.rows(&rows), s.rows(&rows));
            left.join(right).map_values(|(a, b)| a * b).reduce_by_key(|a, b| a + b).collect()
        });
    });
}
