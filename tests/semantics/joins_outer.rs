//! Outer, semi and anti joins, compared with two nested loops.

use kiln::{Dataset, Result};

use crate::random::Random;
use crate::support::{Setting, check, for_each_seed};

type Pairs = Vec<(u64, i64)>;

/// Left rows with all of their matches.
fn partners<'a>(
    left: &'a [(u64, i64)],
    right: &'a [(u64, i64)],
) -> impl Iterator<Item = ((u64, i64), Vec<i64>)> + 'a {
    left.iter().map(|row| (*row, right.iter().filter(|(key, _)| *key == row.0).map(|r| r.1).collect()))
}

/// Rows of one side whose key is missing on the other side.
fn alone(rows: &[(u64, i64)], other: &[(u64, i64)]) -> Pairs {
    rows.iter().filter(|row| other.iter().all(|(key, _)| *key != row.0)).copied().collect()
}

/// Keys with the values of each side.
type Matches = Vec<(u64, (Option<i64>, Option<i64>))>;

fn full_outer(left: &[(u64, i64)], right: &[(u64, i64)]) -> Matches {
    let pairs = partners(left, right)
        .flat_map(|((key, v), all)| all.into_iter().map(move |w| (key, (Some(v), Some(w)))));
    let lefts = alone(left, right).into_iter().map(|(key, v)| (key, (Some(v), None)));
    let rights = alone(right, left).into_iter().map(|(key, w)| (key, (None, Some(w))));
    pairs.chain(lefts).chain(rights).collect()
}

/// Sides with unique keys, common keys and repeated keys; and empty sides.
fn for_each_pair_of_sides(test: impl Fn(&Pairs, &Pairs)) {
    for_each_seed(|seed| {
        let mut random = Random::new(seed);
        let left = random.pairs(120, 40);
        let right: Pairs = random.pairs(80, 40).into_iter().map(|(key, n)| (key + 15, n)).collect();
        test(&left, &right);
        test(&left, &Vec::new());
        test(&Vec::new(), &right);
    });
}

#[test]
fn a_full_outer_join_keeps_the_rows_of_both_sides() {
    for_each_pair_of_sides(|left, right| {
        check(&full_outer(left, right), |s| s.rows(left).full_outer_join(s.rows(right)).collect());
    });
}

#[test]
fn a_value_that_is_none_is_told_from_a_partner_that_is_not_there_once_it_is_wrapped() {
    for_each_pair_of_sides(|left, right| {
        let odd = |n: i64| (n % 2 != 0).then_some(n);
        let rows = full_outer(left, right).into_iter();
        let expected: Vec<_> =
            rows.filter_map(|(key, (v, w))| Some((key, (v?, w.map(|w| (odd(w), true)))))).collect();
        check(&expected, |s| {
            let maybe = s.rows(right).map_values(|n| (n % 2 != 0).then_some(n));
            s.rows(left).left_outer_join(maybe.map_values(|n| (n, true))).collect()
        });
    });
}

#[test]
fn a_left_outer_join_keeps_keys_without_a_partner() {
    for_each_pair_of_sides(|left, right| {
        let rows = full_outer(left, right).into_iter();
        let expected: Vec<_> = rows.filter_map(|(key, (v, w))| Some((key, (v?, w)))).collect();
        check(&expected, |s| s.rows(left).left_outer_join(s.rows(right)).collect());
    });
}

#[test]
fn a_right_outer_join_keeps_right_keys_without_a_partner() {
    for_each_pair_of_sides(|left, right| {
        let rows = full_outer(left, right).into_iter();
        let expected: Vec<_> = rows.filter_map(|(key, (v, w))| Some((key, (v, w?)))).collect();
        check(&expected, |s| s.rows(left).right_outer_join(s.rows(right)).collect());
    });
}

#[test]
fn a_left_semi_join_keeps_each_row_with_a_partner_once() {
    for_each_pair_of_sides(|left, right| {
        let with = partners(left, right).filter(|(_, all)| !all.is_empty());
        let expected: Pairs = with.map(|(row, _)| row).collect();
        check(&expected, |s| s.rows(left).left_semi_join(s.rows(right)).collect());
    });
}

#[test]
fn a_left_anti_join_keeps_rows_without_a_partner() {
    for_each_pair_of_sides(|left, right| {
        let expected = alone(left, right);
        check(&expected, |s| s.rows(left).left_anti_join(s.rows(right)).collect());
        check(&expected, |s| s.rows(left).subtract_by_key(s.rows(right)).collect());
    });
}

#[test]
fn outer_joins_behind_reduce_by_key_find_the_keys_where_they_lie() {
    for_each_seed(|seed| {
        let mut random = Random::new(seed);
        let (left, right) = (random.pairs(100, 30), random.pairs(100, 30));
        let sums = |rows: &Pairs| -> Pairs {
            let mut sums = std::collections::BTreeMap::new();
            rows.iter().for_each(|(key, n)| *sums.entry(*key).or_insert(0) += n);
            sums.into_iter().collect()
        };
        let reduced =
            |s: Setting, rows: &Pairs| -> Dataset<(u64, i64)> { s.rows(rows).reduce_by_key(|a, b| a + b) };
        let job = |s: Setting| -> Result<Vec<_>> {
            reduced(s, &left).full_outer_join(reduced(s, &right)).collect()
        };
        check(&full_outer(&sums(&left), &sums(&right)), job);
        let expected = alone(&sums(&left), &right);
        check(&expected, |s| reduced(s, &left).left_anti_join(s.rows(&right)).collect());
    });
}
