//! Without input rows there are no output rows, no key, no first row, and no failure.

use kiln::{Dataset, Result};

use crate::support::{Setting, check, check_ordered};

fn no_words(s: Setting) -> Dataset<String> {
    s.rows(&[])
}

fn no_pairs(s: Setting) -> Dataset<(u64, i64)> {
    s.rows(&[])
}

#[test]
fn narrow_operators_over_no_rows_give_none() {
    nothing(|s| no_words(s).collect());
    nothing(|s| no_words(s).map(str::len).collect());
    nothing(|s| no_words(s).map_to::<String>(str::trim).collect());
    nothing(|s| no_words(s).flat_map_to(str::split_whitespace).collect());
    nothing(|s| no_words(s).flat_map_emit::<u64>(|_, emit| emit(1)).collect());
    nothing(|s| no_words(s).filter(|_| true).collect());
    nothing(|s| no_words(s).key_by(|word| word.len()).map_values(|word| word.len()).collect());
    nothing(|s| no_words(s).union(no_words(s)).collect());
    nothing(|s| no_words(s).cache().collect());
}

#[test]
fn keyed_operators_over_no_rows_give_none() {
    nothing(|s| no_pairs(s).reduce_by_key(|a, b| a + b).collect());
    nothing(|s| no_pairs(s).fold_by_key(1, |a, b| a + b).collect());
    nothing(|s| no_words(s).count_by_value().collect());
    nothing(|s| no_words(s).distinct().collect());
    nothing(|s| no_pairs(s).sort_by_key().collect());
    nothing(|s| no_pairs(s).join(no_pairs(s)).collect());
}

#[test]
fn actions_over_no_rows_give_nothing() {
    nothing(|s| no_words(s).take(0));
    nothing(|s| no_words(s).take(5));
    nothing(|s| no_words(s).top(0, |word| word.len()));
    nothing(|s| no_words(s).top(5, |word| word.len()));
    check_ordered(&[0], |s| Ok(vec![no_words(s).count()?]));
    check_ordered(&[None::<String>], |s| Ok(vec![no_words(s).reduce(|a, b| a + &b)?]));
}

#[test]
fn rows_that_a_filter_removes_leave_every_operator_as_empty_as_none() {
    let rows: Vec<(u64, i64)> = (0..100).map(|key| (key, 1)).collect();
    nothing(|s| s.rows(&rows).filter(|(_, n)| n > 1).reduce_by_key(|a, b| a + b).sort_by_key().collect());
    check_ordered(&[None], |s| Ok(vec![s.rows(&rows).filter(|(_, n)| n > 1).reduce(|a, _| a)?]));
}

#[test]
fn fewer_rows_than_partitions_leave_some_empty() {
    let rows = [(2u64, 1i64), (1, 1), (2, 1)];
    check_ordered(&[(1, 1), (2, 2)], |s| s.rows(&rows).reduce_by_key(|a, b| a + b).sort_by_key().collect());
    check_ordered(&rows[..1], |s| s.rows(&rows).take(1));
    check_ordered(&[Some((5, 3))], |s| Ok(vec![s.rows(&rows).reduce(|a, b| (a.0 + b.0, a.1 + b.1))?]));
}

#[test]
fn an_empty_range_has_no_rows() {
    check_ordered(&Vec::<u64>::new(), |s| s.cx().range(5..5).collect());
    check_ordered(&Vec::<u64>::new(), |s| s.cx().range(std::ops::Range { start: 5, end: 4 }).collect());
}

/// Checks that the job gives no rows in any setting.
#[track_caller]
fn nothing<T: std::fmt::Debug>(job: impl Fn(Setting) -> Result<Vec<T>>) {
    check(&[], job);
}
