//! Accumulators, and counters of `i64` and `f64`: every row counts once, wherever and however often it
//! is computed.

use std::collections::{BTreeMap, BTreeSet};

use kiln::{Accumulator, Error, Shared};

use crate::random::Random;
use crate::support::{for_each_seed, for_each_setting, kinds};

type Words = BTreeMap<String, u64>;

fn add_words(all: &mut Words, more: Words) {
    more.into_iter().for_each(|(word, n)| *all.entry(word).or_default() += n);
}

#[test]
fn accumulators_of_inner_stages_and_of_the_result_have_what_the_rows_make() {
    for_each_seed(|seed| {
        let pairs = Random::new(seed).rows(300, |r| (r.string(), r.around_zero(9)));
        let mut words = Words::new();
        pairs.iter().for_each(|(word, _)| *words.entry(word.clone()).or_default() += 1);
        let sum: i64 = pairs.iter().map(|(_, n)| n).sum();
        for_each_setting(|s, name| {
            let seen = s.cx().accumulator(Words::new(), add_words);
            let keys =
                s.cx().accumulator(BTreeSet::new(), |all: &mut BTreeSet<String>, more| all.extend(more));
            let (balance, halves) = (s.cx().counter_i64("balance"), s.cx().counter_f64("halves"));
            let before = (balance.value(), halves.value());
            let all = s.cx().share((seen.clone(), balance.clone(), halves.clone()));
            let rows = s.rows(&pairs).inspect_with(&all, |(seen, balance, halves), (word, n)| {
                seen.update(|words| *words.entry(word.to_owned()).or_default() += 1);
                balance.add(n);
                halves.add(n as f64 / 2.0);
            });
            let sums = rows.reduce_by_key(|a, b| a + b).inspect_with(&keys, |keys, (word, _)| {
                keys.add(BTreeSet::from([word.to_owned()]));
            });
            assert!(
                seen.value().is_empty() && keys.value().is_empty(),
                "{name}: nothing runs before an action"
            );
            sums.count().unwrap();
            assert_eq!(seen.value(), words, "{name}");
            assert!(keys.value().iter().eq(words.keys()), "{name}");
            // Halves are exact, so the order of additions does not matter.
            let counted = (balance.value() - before.0, halves.value() - before.1);
            assert_eq!(counted, (sum, sum as f64 / 2.0), "{name}");
            sums.collect().unwrap();
            assert_eq!(seen.value().values().sum::<u64>(), 600, "{name}: again, as it is computed again");
        });
    });
}

#[test]
fn an_attempt_that_fails_adds_nothing() {
    for place in kinds() {
        let folder = tempfile::tempdir().unwrap();
        let largest = place.cx.accumulator((0_u64, 0_u64), |a, b| *a = (a.0 + b.0, a.1.max(b.1)));
        let sum = place.cx.counter_i64("rows of attempts");
        let before = sum.value();
        let shared = place.cx.share((folder.path().to_owned(), largest.clone(), sum.clone()));
        let rows = place.cx.parallelize_in(2, 0..10_u64);
        type Used = (std::path::PathBuf, Shared<Accumulator<(u64, u64)>>, Shared<Accumulator<i64>>);
        let each = |(folder, largest, sum): &Used, n: u64| {
            largest.add((1, n));
            sum.add(-1);
            match std::fs::create_dir(folder.join(n.to_string())) {
                Ok(()) if n % 5 == 4 => Err(Error::transient("not yet")),
                _ => Ok(()),
            }
        };
        rows.try_for_each_with(&shared, each).unwrap();
        assert_eq!((largest.value(), sum.value() - before), ((10, 9), -10), "{}", place.name);
    }
}

#[test]
fn what_a_cache_keeps_and_the_job_on_the_way_of_a_sort_adds_once() {
    for_each_setting(|s, name| {
        let rows = s.cx().accumulator(0_u64, |a, b| *a += b);
        let pairs: Vec<(u64, u64)> = (0..200).map(|n| (n * 7 % 200, n)).collect();
        let counted = s.rows(&pairs).inspect_with(&rows, |rows, _| rows.add(1));
        assert_eq!(counted.clone().sort_by_key().zip_with_index().count().unwrap(), 200);
        assert_eq!(rows.value(), 200, "{name}");
        let kept = counted.cache();
        assert_eq!((kept.count().unwrap(), kept.count().unwrap()), (200, 200));
        assert_eq!(rows.value(), 400, "{name}");
    });
}

#[test]
fn both_threads_of_a_task_accumulate() {
    for_each_setting(|s, name| {
        let seen = s.cx().accumulator(Vec::new(), |all: &mut Vec<u64>, more| all.extend(more));
        let numbers: Vec<u64> = (0..50).collect();
        let rows = s.rows(&numbers).inspect_with(&seen, |seen, n| seen.add(vec![n]));
        let mapped =
            rows.map_partitions_with(&seen, |seen, _, rows| rows.inspect(move |n| seen.add(vec![n + 50])));
        assert_eq!(mapped.count().unwrap(), 50);
        let mut all = seen.value();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..100), "{name}");
    });
}

#[test]
fn counters_of_one_name_are_one_and_accumulators_are_new_ones() {
    for_each_setting(|s, name| {
        let (one, other) = (s.cx().counter_i64("signed twins"), s.cx().counter_i64("signed twins"));
        let before = other.value();
        one.add(-3);
        assert_eq!(s.rows(&[1_i64, 5]).inspect_with(&other, |other, n| other.add(n)).count().unwrap(), 2);
        assert_eq!(one.value() - before, 3, "{name}");
        assert_eq!(s.cx().job_run().facts().counters_i64["signed twins"], one.value(), "{name}");
        let new = || s.cx().accumulator(0_u64, |a, b| *a += b);
        let (first, second) = (new(), new());
        first.add(2);
        assert_eq!((first.value(), second.value()), (2, 0), "{name}");
    });
}
