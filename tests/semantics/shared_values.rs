//! Counters, lazy values and seeds are the same wherever closures run.

use kiln::chrono::{DateTime, Days, NaiveDate, Utc};
use kiln::{Bytes, Decimal};

use crate::random::Random;
use crate::support::{check_ordered, for_each_seed, for_each_setting};

#[test]
fn a_counter_counts_every_row_once_for_each_action_that_computes_it() {
    for_each_seed(|seed| {
        let pairs = Random::new(seed).pairs(300, 10);
        for_each_setting(|s, name| {
            let (rows, sums) = (s.cx().counter("rows"), s.cx().counter("sums"));
            let (rows_before, sums_before) = (rows.value(), sums.value());
            let counted = || (rows.value() - rows_before, sums.value() - sums_before);
            let seen = s.rows(&pairs).inspect_with(&rows, |rows, _| rows.add(1)).reduce_by_key(|a, b| a + b);
            let seen = seen.inspect_with(&sums, |sums, _| sums.add(1));
            assert_eq!(counted(), (0, 0), "{name}: nothing runs before an action");
            let keys = seen.count().unwrap();
            assert_eq!(counted(), (300, keys), "{name}");
            seen.collect().unwrap();
            assert_eq!(counted(), (600, 2 * keys), "{name}: again, as it is computed again");
        });
    });
}

#[test]
fn what_a_cache_keeps_is_counted_when_it_is_computed() {
    for_each_setting(|s, name| {
        let cached = s.cx().counter("cached");
        let before = cached.value();
        let kept =
            s.rows(&(0..100).collect::<Vec<u64>>()).inspect_with(&cached, |cached, _| cached.add(1)).cache();
        assert_eq!((kept.count().unwrap(), kept.count().unwrap()), (100, 100));
        assert_eq!(cached.value() - before, 100, "{name}");
    });
}

#[test]
fn the_job_on_the_way_of_a_sort_counts_nothing_of_its_own() {
    for_each_setting(|s, name| {
        let rows = s.cx().counter("sorted");
        let before = rows.value();
        let pairs = s.rows(&(0..200u64).map(|n| (n * 7 % 200, n)).collect::<Vec<_>>());
        let counted = pairs.inspect_with(&rows, |rows, _| rows.add(1)).sort_by_key().zip_with_index();
        assert_eq!(counted.count().unwrap(), 200);
        assert_eq!(rows.value() - before, 200, "{name}");
    });
}

#[test]
fn counters_of_one_name_are_one_and_the_run_reports_them() {
    for_each_setting(|s, name| {
        let (one, other) = (s.cx().counter("twins"), s.cx().counter("twins"));
        let both = s.cx().share((one.clone(), 3u64));
        let rows = s.rows(&[1u64, 2]).inspect_with(&both, |(one, by), _| one.add(*by));
        let before = other.value();
        rows.inspect_with(&other, |other, n| other.add(n)).count().unwrap();
        assert_eq!(other.value() - before, 9, "{name}");
        assert_eq!(s.cx().job_run().facts().counters["twins"], one.value(), "{name}");
    });
}

#[test]
fn an_action_that_fails_before_its_result_reports_no_counts_of_the_result() {
    for_each_setting(|s, name| {
        let seen = s.cx().counter("seen before the failure");
        let rows = s.rows(&[1u64, 2, 3]).inspect_with(&seen, |seen, _| seen.add(1));
        let failing = rows.inspect(|n| assert!(n != 3, "the fault"));
        assert!(failing.count().is_err());
        assert_eq!(seen.value(), 0, "{name}");
    });
}

#[test]
fn a_lazy_value_is_made_once_in_a_process_and_serves_all_closures() {
    let numbers: Vec<u64> = (0..100).collect();
    // The process that created the value, and a counter in that process: one pair per process.
    let made_by = |s: crate::support::Setting| {
        let value = s.cx().lazy(|| {
            static MADE: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
            (u64::from(std::process::id()), MADE.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
        });
        let makers = s.rows(&numbers).map_with(&value, |value, _| {
            assert_eq!(value.0, u64::from(std::process::id()));
            **value
        });
        let again = makers.key_by(|_| 0u64).map_with(&value, |value, _| **value);
        again.collect()
    };
    check_ordered(&[0u64], |s| {
        let mut makings: Vec<u64> = made_by(s)?.into_iter().map(|(_, making)| making).collect();
        makings.dedup();
        Ok(makings)
    });
}

#[test]
fn a_seed_is_the_same_in_every_context_of_a_program() {
    let seed = kiln::Context::local(1).seed();
    for_each_setting(|s, name| assert_eq!(s.cx().seed(), seed, "{name}"));
}

#[test]
fn values_of_the_types_of_rows_can_be_shared() {
    let day = NaiveDate::from_ymd_opt(2024, 2, 29).unwrap();
    let instant = day.and_hms_micro_opt(23, 59, 59, 999_999).unwrap().and_utc();
    let price: Decimal<10, 2> = "-19.99".parse().unwrap();
    let expected: Vec<(NaiveDate, DateTime<Utc>, Decimal<10, 2>, Bytes)> = (0..20)
        .map(|n| (day + Days::new(n), instant, price * n as i64, Bytes::from_static(b"\xff")))
        .collect();
    check_ordered(&expected, |s| {
        let shared = s.cx().share((day, instant, price, Bytes::from_static(b"\xff")));
        let rows = s.rows(&(0..20).collect::<Vec<u64>>());
        rows.map_with(&shared, |shared, n| {
            (shared.0 + Days::new(n), shared.1, shared.2 * n as i64, shared.3.clone())
        })
        .collect()
    });
}
