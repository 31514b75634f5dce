//! Actions that give one number or row: `count` and `reduce`.

use crate::random::Random;
use crate::support::{check_ordered, for_each_seed};

#[test]
fn count_is_the_number_of_rows() {
    for_each_seed(|seed| {
        let rows = Random::new(seed).rows(777, Random::string);
        check_ordered(&[777], |s| Ok(vec![s.rows(&rows).count()?]));
        let long = rows.iter().filter(|row| row.len() > 10).count() as u64;
        check_ordered(&[long * 2], |s| {
            Ok(vec![s.rows(&rows).filter(|row| row.len() > 10).flat_map(|row: &str| [row.len(); 2]).count()?])
        });
    });
}

#[test]
fn reduce_takes_rows_in_the_order_of_the_partitions() {
    for_each_seed(|seed| {
        let words = Random::new(seed).rows(100, Random::string);
        check_ordered(&[Some(words.concat())], |s| Ok(vec![s.rows(&words).reduce(|a, b| a + &b)?]));
    });
}

#[test]
fn reduce_of_numbers_is_their_sum() {
    for_each_seed(|seed| {
        let numbers = Random::new(seed).rows(500, |r| r.around_zero(1 << 30));
        check_ordered(&[Some(numbers.iter().sum::<i64>())], |s| {
            Ok(vec![s.rows(&numbers).reduce(|a, b| a + b)?])
        });
    });
}

#[test]
fn reduce_of_one_row_is_that_row() {
    check_ordered(&[Some(5u64)], |s| {
        Ok(vec![s.rows(&[5u64]).reduce(|_, _| unreachable!("there is one row"))?])
    });
}

#[test]
fn reduce_of_optional_rows_tells_no_rows_from_an_empty_one() {
    check_ordered(&[Some(None::<u64>)], |s| Ok(vec![s.rows(&[None, None]).reduce(|a, b| a.or(b))?]));
}
