//! Actions that reduce all rows to one value, and those that return some rows or none.

use std::collections::BTreeMap;

use kiln::{Decimal, Stats};

use crate::random::Random;
use crate::support::{check_ordered, for_each_seed};

#[test]
fn count_is_the_number_of_rows() {
    for_each_seed(|seed| {
        let rows = Random::new(seed).rows(777, Random::string);
        check_ordered(&[777], |s| Ok(vec![s.rows(&rows).count()?]));
        let long = rows.iter().filter(|row| row.len() > 10).count() as u64;
        check_ordered(&[long * 2], |s| {
            Ok(vec![s.rows(&rows).filter(|row| row.len() > 10).flat_map(|row| [row.len(); 2]).count()?])
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

#[test]
fn fold_is_reduce_from_a_neutral_row_on() {
    for_each_seed(|seed| {
        let words = Random::new(seed).rows(100, Random::string);
        check_ordered(&[words.concat(), String::new()], |s| {
            let (rows, none) = (s.rows(&words), s.rows(&Vec::<String>::new()));
            Ok(vec![rows.fold(String::new(), |a, b| a + &b)?, none.fold(String::new(), |a, b| a + &b)?])
        });
    });
}

#[test]
fn aggregate_joins_what_the_tasks_have_made_in_the_order_of_the_partitions() {
    for_each_seed(|seed| {
        let words = Random::new(seed).rows(300, Random::string);
        let long = |limit: usize| {
            let long: Vec<&str> =
                words.iter().map(String::as_str).filter(|word| word.len() > limit).collect();
            (long.concat(), long.len() as u64)
        };
        check_ordered(&[long(10), long(20)], |s| {
            let (rows, limit) = (s.rows(&words), s.cx().share(20usize));
            let zero = || (String::new(), 0u64);
            let join = |a: (String, u64), b: (String, u64)| (format!("{}{}", a.0, b.0), a.1 + b.1);
            let plain = rows.aggregate(
                zero(),
                |acc, word| match word.len() > 10 {
                    true => (format!("{}{word}", acc.0), acc.1 + 1),
                    false => acc,
                },
                join,
            )?;
            let add = |limit: &usize, acc: (String, u64), word: &str| match word.len() > *limit {
                true => (format!("{}{word}", acc.0), acc.1 + 1),
                false => acc,
            };
            Ok(vec![plain, rows.aggregate_with(&limit, zero(), add, join)?])
        });
    });
}

#[test]
fn sums_of_integers_are_exact_where_the_rows_before_them_would_overflow() {
    for_each_seed(|seed| {
        let mut rows = vec![i64::MAX, i64::MAX, i64::MIN, i64::MIN];
        rows.extend(Random::new(seed).rows(300, |r| r.around_zero(1 << 40)));
        let sum = rows.iter().map(|n| i128::from(*n)).sum::<i128>() as i64;
        check_ordered(&[sum], |s| Ok(vec![s.rows(&rows).sum()?]));
        check_ordered(&[0u64], |s| Ok(vec![s.rows(&[0u8; 0]).sum()?]));
    });
}

#[test]
fn sums_and_means_of_decimals_are_exact() {
    for_each_seed(|seed| {
        let units = Random::new(seed).rows(300, |r| i128::from(r.around_zero(1 << 40)));
        let rows: Vec<Decimal<18, 4>> = units.iter().map(|n| Decimal::from_units(*n).unwrap()).collect();
        let sum = Decimal::<38, 4>::from_units(units.iter().sum()).unwrap();
        check_ordered(&[sum], |s| Ok(vec![s.rows(&rows).sum()?]));
        let mean = units.iter().sum::<i128>() as f64 / 1e4 / 300.0;
        check_ordered(&[Some(mean.to_bits())], |s| Ok(vec![s.rows(&rows).mean()?.map(f64::to_bits)]));
    });
    let most = Decimal::<38, 0>::from_units(10_i128.pow(38) - 1).unwrap();
    check_ordered(&["data: the sum of decimals has more than 38 digits".to_owned()], |s| {
        let error = s.rows(&[most, most]).sum().expect_err("it takes 39 digits");
        Ok(vec![format!("{}: {}", error.class().name(), error.message())])
    });
}

#[test]
fn floats_rank_as_they_sort() {
    let rows = [2.5, f64::NAN, -1.0, f64::INFINITY, 0.0];
    check_ordered(&["NaN", "inf", "2.5"].map(str::to_owned), |s| {
        Ok(s.rows(&rows).top(3, |n| n)?.iter().map(f64::to_string).collect())
    });
    check_ordered(&["-1", "0"].map(str::to_owned), |s| {
        Ok(s.rows(&rows).take_ordered(2, |n| n)?.iter().map(f64::to_string).collect())
    });
}

#[test]
fn a_sum_that_does_not_fit_is_an_error_of_the_data() {
    check_ordered(&["data: the sum 18446744073709551616 does not fit u64".to_owned()], |s| {
        let error = s.rows(&[u64::MAX, 1]).sum().expect_err("it takes 65 bits");
        Ok(vec![format!("{}: {}", error.class().name(), error.message())])
    });
}

#[test]
fn min_and_max_go_by_the_order_of_keys() {
    for_each_seed(|seed| {
        let words = Random::new(seed).rows(200, Random::string);
        let expected = [words.iter().min().cloned(), words.iter().max().cloned(), None];
        check_ordered(&expected, |s| {
            let rows = s.rows(&words);
            let none = rows.clone().filter(|word| word.len() > 99);
            Ok(vec![rows.min()?, rows.max()?, none.max()?.or(none.min()?)])
        });
    });
    check_ordered(&[Some(-2.5), Some(f64::NAN), Some(f64::NAN)], |s| {
        let rows = s.rows(&[0.0, f64::NAN, -2.5, 7.0]);
        Ok(vec![rows.min()?, rows.max()?, rows.filter(|x| x.is_nan()).min()?])
    });
}

#[test]
fn the_mean_of_no_rows_is_none() {
    for_each_seed(|seed| {
        let rows = Random::new(seed).rows(401, |r| r.around_zero(1000));
        let mean = rows.iter().sum::<i64>() as f64 / 401.0;
        check_ordered(&[Some(mean), None], |s| {
            let rows = s.rows(&rows);
            Ok(vec![rows.mean()?, rows.filter(|n| n > 5000).mean()?])
        });
    });
}

/// The mean is large compared with the spread: the mean of squares minus the square of the mean would
/// be off by a tenth and more, while Welford's algorithm in one pass is off by some 1e-9.
#[test]
fn stats_are_those_of_two_passes_over_the_rows() {
    for_each_seed(|seed| {
        let rows = Random::new(seed).rows(500, |r| 1e9 + r.below(1000) as f64 / 8.0);
        let mean = rows.iter().sum::<f64>() / 500.0;
        let variance = rows.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / 500.0;
        let (min, max) =
            (rows.iter().copied().fold(f64::MAX, f64::min), rows.iter().copied().fold(0.0, f64::max));
        check_ordered(&[(500, min, max, true)], |s| {
            let stats = s.rows(&rows).stats()?.expect("there are rows");
            let near = |found: f64, wanted: f64| ((found - wanted) / wanted).abs() < 1e-6;
            let all = near(stats.mean(), mean)
                && near(stats.variance(), variance)
                && near(stats.sample_variance(), variance * 500.0 / 499.0)
                && near(stats.stdev(), variance.sqrt())
                && near(stats.sum(), mean * 500.0);
            Ok(vec![(stats.count(), stats.min(), stats.max(), all)])
        });
        check_ordered(&[None::<Stats>], |s| Ok(vec![s.rows(&[0u32; 0]).stats()?]));
    });
}

#[test]
fn take_ordered_gives_the_smallest_keys_and_of_equal_ones_the_first_rows() {
    for_each_seed(|seed| {
        let rows = Random::new(seed).pairs(300, 12);
        let mut sorted = rows.clone();
        sorted.sort_by_key(|pair| pair.0);
        let mut far = rows.clone();
        far.sort_by_key(|pair| pair.0.abs_diff(6));
        for n in [0, 1, 40, 400] {
            check_ordered(&sorted[..n.min(300)], |s| s.rows(&rows).take_ordered(n, |(key, _)| key));
            check_ordered(&far[..n.min(300)], |s| {
                let middle = s.cx().share(6u64);
                s.rows(&rows).take_ordered_with(&middle, n, |middle, (key, _)| key.abs_diff(*middle))
            });
        }
    });
}

#[test]
fn of_pairs_with_one_key_the_last_gets_into_the_map() {
    for_each_seed(|seed| {
        let rows = Random::new(seed).pairs(300, 40);
        let map: BTreeMap<u64, i64> = rows.iter().copied().collect();
        check_ordered(&[map], |s| Ok(vec![s.rows(&rows).collect_as_map()?.into_iter().collect()]));
    });
}
