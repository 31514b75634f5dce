//! Operators that depend on the positions of rows: numbering, sampling, and coalescing.

use std::collections::BTreeSet;

use kiln::Class;

use crate::random::Random;
use crate::support::{check_ordered, for_each_seed, for_each_setting, local};

#[test]
fn zip_with_index_numbers_all_rows_in_their_order() {
    for_each_seed(|seed| {
        let lines = Random::new(seed).rows(150, Random::line);
        let expected: Vec<(String, u64)> = lines.iter().cloned().zip(0..).collect();
        check_ordered(&expected, |s| s.rows(&lines).zip_with_index().collect());
    });
}

#[test]
fn zip_with_index_counts_what_is_left_of_a_filter_and_what_comes_of_an_exchange() {
    for_each_seed(|seed| {
        let numbers = Random::new(seed).rows(200, |r| r.below(1000));
        let mut distinct: Vec<u64> = numbers.iter().copied().filter(|n| n % 3 == 0).collect();
        distinct.sort_unstable();
        distinct.dedup();
        let expected: Vec<((u64, u64), u64)> = distinct.into_iter().map(|n| (n, n)).zip(0..).collect();
        check_ordered(&expected, |s| {
            let kept = s.rows(&numbers).filter(|n| n % 3 == 0).distinct();
            kept.key_by(|n| n).sort_by_key().zip_with_index().collect()
        });
    });
}

#[test]
fn unique_ids_are_unique_and_those_of_the_rows_places() {
    for_each_seed(|seed| {
        let numbers = Random::new(seed).rows(100, Random::next);
        for_each_setting(|s, name| {
            let zipped = s.rows(&numbers).zip_with_unique_id().collect().unwrap();
            assert!(zipped.iter().map(|(n, _)| n).eq(&numbers), "{name}");
            let ids: BTreeSet<u64> = zipped.iter().map(|(_, id)| *id).collect();
            assert_eq!(ids.len(), numbers.len(), "{name}");
            // `parallelize_in` cuts evenly.
            let n = s.partitions;
            let cut = |p: usize| numbers.len() * p / n;
            let expected = (0..n).flat_map(|p| (0..cut(p + 1) - cut(p)).map(move |k| (k * n + p) as u64));
            assert!(zipped.iter().map(|(_, id)| *id).eq(expected), "{name}");
        });
    });
}

#[test]
fn a_sample_is_a_part_of_the_rows_and_the_same_wherever_it_is_drawn() {
    for_each_seed(|seed| {
        let numbers: Vec<u64> = (0..2000).collect();
        for partitions in [1, 2, 7] {
            let rows = |cx: &kiln::Context| cx.parallelize_in(partitions, numbers.clone());
            let expected = rows(local()).sample(false, 0.3, seed).collect().unwrap();
            assert!((500..700).contains(&expected.len()), "{} rows", expected.len());
            assert!(expected.is_sorted_by(|a, b| a < b), "each row once, in its order");
            check_ordered(&expected, |s| rows(s.cx()).sample(false, 0.3, seed).collect());
            let twice = rows(local()).sample(true, 2.0, seed).collect().unwrap();
            assert!((3700..4300).contains(&twice.len()) && twice.is_sorted(), "{} rows", twice.len());
            check_ordered(&twice, |s| rows(s.cx()).erase().sample(true, 2.0, seed).collect());
            assert_ne!(rows(local()).sample(false, 0.3, seed + 1).collect().unwrap(), expected);
        }
    });
}

#[test]
fn a_sample_of_none_is_empty_and_one_of_all_is_everything() {
    let numbers: Vec<u64> = (0..100).collect();
    check_ordered(&numbers, |s| s.rows(&numbers).sample(false, 1.0, 1).collect());
    check_ordered(&Vec::<u64>::new(), |s| s.rows(&numbers).sample(true, 0.0, 1).collect());
}

#[test]
fn fractions_and_weights_that_make_no_sense_are_config_errors() {
    let rows = || local().range(0..10);
    for fraction in [-0.1, f64::NAN, f64::INFINITY] {
        for with_replacement in [false, true] {
            let error = rows().sample(with_replacement, fraction, 0).count().unwrap_err();
            assert_eq!(error.class(), Class::Config, "{error}");
        }
    }
    assert!(rows().sample(false, 1.1, 0).count().is_err());
    for weights in [&[0.0, 0.0][..], &[1.0, -1.0], &[f64::NAN]] {
        let error = rows().random_split(weights, 0)[0].count().unwrap_err();
        assert_eq!(error.class(), Class::Config, "{error}");
    }
}

#[test]
fn every_row_is_in_exactly_one_part_of_a_split() {
    for_each_seed(|seed| {
        let numbers: Vec<u64> = (0..2000).collect();
        check_ordered(&numbers, |s| {
            let parts = s.rows(&numbers).random_split(&[6.0, 3.0, 0.0, 1.0], seed);
            let parts: Vec<Vec<u64>> = parts.iter().map(|part| part.collect()).collect::<Result<_, _>>()?;
            assert!(parts[0].len() > parts[1].len() && parts[1].len() > parts[3].len());
            assert!(parts[2].is_empty());
            let mut all = parts.concat();
            all.sort_unstable();
            Ok(all)
        });
    });
}

#[test]
fn coalesce_leaves_the_rows_and_their_order() {
    for_each_seed(|seed| {
        let lines = Random::new(seed).rows(150, Random::line);
        for partitions in [1, 2, 3, 100] {
            check_ordered(&lines, |s| s.rows(&lines).coalesce(partitions).collect());
        }
    });
}

#[test]
fn coalesce_reads_an_exchange_a_cache_and_a_union_and_a_later_join_finds_its_partners() {
    for_each_seed(|seed| {
        let pairs = Random::new(seed).pairs(200, 20);
        let mut sums = std::collections::BTreeMap::new();
        pairs.iter().for_each(|(key, n)| *sums.entry(*key).or_insert(0) += 2 * n);
        let expected: Vec<(u64, (i64, i64))> = sums.into_iter().map(|(key, n)| (key, (n, n))).collect();
        check_ordered(&expected, |s| {
            let rows = s.rows(&pairs).cache();
            let sums = rows.clone().union(rows).coalesce(3).reduce_by_key(|a, b| a + b).coalesce(2);
            sums.clone().join(sums).coalesce(1).sort_by_key().collect()
        });
    });
}

#[test]
fn take_of_coalesced_partitions_stops_at_its_rows() {
    check_ordered(&[0u64, 1, 2], |s| s.rows(&(0..500).collect::<Vec<u64>>()).coalesce(2).take(3));
}
