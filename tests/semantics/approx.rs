//! Estimates are near the exact result, and the same in every cluster for the same number of
//! partitions.

use std::collections::{BTreeMap, BTreeSet};

use kiln::Class;

use crate::random::Random;
use crate::support::{check, for_each_seed, for_each_setting, local};

/// Checks that the estimates for each number of partitions are equal, and near `exact`.
fn near(exact: f64, tolerance: f64, estimates: &BTreeMap<usize, BTreeSet<u64>>) {
    for (partitions, found) in estimates {
        assert_eq!(found.len(), 1, "{partitions} partitions: {found:?}");
        let off = (*found.first().unwrap() as f64 - exact).abs() / exact;
        assert!(off < tolerance, "{partitions} partitions: {found:?} for {exact}");
    }
}

#[test]
fn count_approx_distinct_is_within_a_few_standard_errors() {
    for_each_seed(|seed| {
        let words = Random::new(seed).rows(6000, |r| format!("word {}", r.below(4000)));
        let exact = words.iter().collect::<BTreeSet<_>>().len() as f64;
        let mut estimates = BTreeMap::<usize, BTreeSet<u64>>::new();
        for_each_setting(|s, _| {
            let count = s.rows(&words).count_approx_distinct(0.02).unwrap();
            estimates.entry(s.partitions).or_default().insert(count);
        });
        // Five standard errors, because the seed changes with every run.
        near(exact, 0.1, &estimates);
    });
}

#[test]
fn count_approx_distinct_by_key_is_exact_for_few_values() {
    for_each_seed(|seed| {
        let pairs = Random::new(seed).rows(400, |r| (r.below(20), r.below(12)));
        let mut sets = BTreeMap::<u64, BTreeSet<u64>>::new();
        for (key, n) in &pairs {
            sets.entry(*key).or_default().insert(*n);
        }
        let expected: Vec<(u64, u64)> = sets.iter().map(|(key, set)| (*key, set.len() as u64)).collect();
        check(&expected, |s| s.rows(&pairs).count_approx_distinct_by_key(0.02).collect());
    });
}

#[test]
fn approx_quantiles_have_ranks_near_those_asked_for() {
    for_each_seed(|seed| {
        let mut numbers = Random::new(seed).rows(5000, |r| (r.below(1_000_000) as f64).sqrt());
        let ranks = [0.0, 0.01, 0.25, 0.5, 0.9, 0.999, 1.0];
        let mut first = BTreeMap::new();
        for_each_setting(|s, name| {
            let found = s.rows(&numbers).approx_quantiles(&ranks).unwrap();
            let other = first.entry(s.partitions).or_insert_with(|| found.clone());
            assert_eq!(&found, other, "{name}");
        });
        numbers.sort_by(f64::total_cmp);
        for found in first.values() {
            for (rank, value) in ranks.iter().zip(found) {
                let below = numbers.partition_point(|n| n < value) as f64 / numbers.len() as f64;
                assert!((below - rank).abs() < 0.01, "{value} for {rank} has rank {below}");
            }
        }
    });
}

#[test]
fn quantiles_of_integers_are_those_of_the_same_floats() {
    for_each_seed(|seed| {
        let numbers = Random::new(seed).rows(2000, |r| r.below(1000) as i32 - 500);
        for_each_setting(|s, name| {
            let (rows, ranks) = (s.rows(&numbers), [0.0, 0.3, 0.5, 1.0]);
            let floats = rows.clone().map(f64::from).approx_quantiles(&ranks).unwrap();
            assert_eq!(rows.approx_quantiles(&ranks).unwrap(), floats, "{name}");
        });
    });
}

#[test]
fn estimates_of_nothing_are_nothing_and_wrong_wishes_are_refused() {
    assert_eq!(local().range(0..0).count_approx_distinct(0.1).unwrap(), 0);
    assert!(local().range(0..0).approx_quantiles(&[0.5]).unwrap().is_empty());
    for wrong in [0.0, -1.0, 0.000_01, 1.0, f64::NAN] {
        let error = local().range(0..9).count_approx_distinct(wrong).unwrap_err();
        assert_eq!(error.class(), Class::Config, "{error}");
    }
    for wrong in [-0.1, 1.1, f64::NAN] {
        let error = local().range(0..9).approx_quantiles(&[wrong]).unwrap_err();
        assert_eq!(error.class(), Class::Config, "{error}");
    }
}
