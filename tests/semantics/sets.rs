//! Intersection, subtraction and the product of two datasets, compared with plain sets and loops.

use std::collections::BTreeSet;

use crate::random::Random;
use crate::support::{check, check_ordered, for_each_seed};

fn sides(seed: u64) -> (Vec<String>, Vec<String>) {
    let mut random = Random::new(seed);
    (random.rows(80, |r| r.string()), random.rows(40, |r| r.string()))
}

#[test]
fn an_intersection_has_each_common_row_once() {
    for_each_seed(|seed| {
        let (left, right) = sides(seed);
        let (a, b): (BTreeSet<&String>, BTreeSet<&String>) = (left.iter().collect(), right.iter().collect());
        let expected: Vec<&String> = a.intersection(&b).copied().collect();
        check(&expected.into_iter().cloned().collect::<Vec<_>>(), |s| {
            s.rows(&left).intersection(s.rows(&right)).collect()
        });
    });
}

#[test]
fn subtract_keeps_every_row_that_the_other_lacks() {
    for_each_seed(|seed| {
        let (left, right) = sides(seed);
        let expected: Vec<String> = left.iter().filter(|row| !right.contains(row)).cloned().collect();
        check(&expected, |s| s.rows(&left).subtract(s.rows(&right)).collect());
        check(&left, |s| s.rows(&left).subtract(s.rows(&[])).collect());
        check::<String>(&[], |s| s.rows(&left).intersection(s.rows(&[])).collect());
    });
}

#[test]
fn cartesian_pairs_every_row_with_every_other_in_order() {
    for_each_seed(|seed| {
        let mut random = Random::new(seed);
        let (left, right) = (random.rows(40, |r| r.below(9)), random.rows(15, |r| r.string()));
        let of = |n: &u64| right.iter().map(|word| (*n, word.clone())).collect::<Vec<_>>();
        let expected: Vec<(u64, String)> = left.iter().flat_map(of).collect();
        check_ordered(&expected, |s| s.rows(&left).cartesian(s.rows(&right)).collect());
        check_ordered::<(u64, u64)>(&[], |s| s.rows(&left).cartesian(s.rows(&[])).collect());
        check_ordered::<(u64, u64)>(&[], |s| s.rows(&[]).cartesian(s.rows(&left)).collect());
    });
}
