//! Actions that need not compute all partitions, and those that stream: `take`, `first`, `is_empty`,
//! `iter`.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::random::Random;
use crate::support::{check_ordered, for_each_seed, local};

#[test]
fn first_is_the_first_row_or_none() {
    for_each_seed(|seed| {
        let rows = Random::new(seed).rows(300, |r| r.below(1000));
        let small = rows.iter().copied().find(|n| *n < 20);
        check_ordered(&[small, None], |s| {
            let rows = s.rows(&rows);
            Ok(vec![rows.clone().filter(|n| n < 20).first()?, rows.filter(|n| n > 1000).first()?])
        });
    });
}

#[test]
fn a_dataset_is_empty_when_no_row_is_left() {
    check_ordered(&[false, true, true], |s| {
        let (rows, none) = (s.rows(&[1u64, 2, 3]), s.rows(&[0u64; 0]));
        Ok(vec![rows.is_empty()?, rows.filter(|n| n > 3).is_empty()?, none.is_empty()?])
    });
}

#[test]
fn take_gives_the_first_rows_however_few_partitions_hold_them() {
    for_each_seed(|seed| {
        let rows = Random::new(seed).rows(500, Random::string);
        for n in [0, 1, 3, 71, 72, 500, 501] {
            check_ordered(&rows[..n.min(500)], |s| s.rows(&rows).take(n));
        }
        let late = vec![rows[499].clone()];
        check_ordered(&late, |s| {
            let numbered = s.cx().parallelize_in(s.partitions, (0..500u64).zip(rows.clone()));
            numbered.filter(|(i, _)| i == 499).map_to::<String>(|(_, row)| row).take(2)
        });
    });
}

#[test]
fn take_computes_no_more_partitions_than_it_must() {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let rows = local().parallelize_in(100, 0..100u64).map(|n: u64| count(&CALLS, n));
    assert_eq!(rows.take(1).unwrap(), [0]);
    assert_eq!(CALLS.swap(0, Ordering::SeqCst), 1);
    assert_eq!(rows.take(3).unwrap(), [0, 1, 2]);
    assert_eq!(CALLS.swap(0, Ordering::SeqCst), 1 + 4);
    assert_eq!((rows.first().unwrap(), rows.is_empty().unwrap()), (Some(0), false));
    assert_eq!(CALLS.swap(0, Ordering::SeqCst), 2);
}

#[test]
fn take_behind_an_exchange_runs_what_lies_before_it_once() {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let rows = local().parallelize_in(3, 0..100u64).map(|n: u64| (n % 50, count(&CALLS, 1u64)));
    let sums = rows.reduce_by_key(|a, b| a + b).filter(|(key, _)| key == 49);
    assert_eq!(sums.take(2).unwrap(), [(49, 2)]);
    assert_eq!(CALLS.load(Ordering::SeqCst), 100);
}

#[test]
fn iter_gives_all_rows_in_order() {
    for_each_seed(|seed| {
        let rows = Random::new(seed).rows(500, Random::string);
        check_ordered(&rows, |s| s.rows(&rows).iter()?.collect());
        let mut sorted = rows.clone();
        sorted.sort();
        check_ordered(&sorted, |s| {
            s.rows(&rows)
                .key_by(|row| String::from(row))
                .sort_by_key()
                .map_to::<String>(|(_, row)| row)
                .iter()?
                .collect()
        });
    });
}

#[test]
fn iter_computes_no_more_partitions_than_the_caller_asks_for() {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let rows = local().parallelize_in(100, 0..100u64).map(|n: u64| count(&CALLS, n));
    let first: Vec<u64> = rows.iter().unwrap().take(4).map(Result::unwrap).collect();
    assert_eq!(first, [0, 1, 2, 3]);
    assert!(CALLS.load(Ordering::SeqCst) <= 4, "two slots, two partitions at a time");
}

#[test]
fn iter_gives_an_error_once_and_then_nothing() {
    check_ordered(&["Ok(0) Err(bug) end".to_owned()], |s| {
        let rows = s.cx().parallelize_in(s.partitions * 50, 0..50u64).map(|n: u64| {
            assert!(n < 25, "n is {n}");
            n
        });
        let mut rows = rows.iter()?;
        let mut seen =
            vec![rows.next().map_or("end".to_owned(), |row| format!("{:?}", row.map_err(|e| e.class())))];
        let error = rows.find_map(|row| row.err()).expect("one partition panics");
        seen.push(format!("Err({})", error.class().name()));
        seen.push(rows.next().map_or("end".to_owned(), |row| format!("{row:?}")));
        Ok(vec![seen.join(" ")])
    });
}

#[test]
fn the_context_can_be_used_while_rows_are_streamed() {
    check_ordered(&[(0u64..20).map(|n| n * 20).sum::<u64>()], |s| {
        let rows = s.cx().parallelize_in(s.partitions, 0..20u64).erase();
        let mut sum = 0;
        for row in rows.iter()? {
            sum += row? * rows.count()?;
        }
        Ok(vec![sum])
    });
}

/// Counts a call of a closure. A static is not captured.
fn count<T>(calls: &AtomicU64, value: T) -> T {
    calls.fetch_add(1, Ordering::SeqCst);
    value
}
