//! Deep plans do not overflow the stack: loops of any length finish with their result, and late rounds
//! of a loop that caches its rows cost as much as early ones.
//!
//! Long loops run as real jobs, because an overflow ends the whole process. Generated loops are
//! compared with the same steps on a vector.

#![allow(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

#[path = "support/job.rs"]
mod job;
#[path = "support/processes.rs"]
mod processes;

use std::collections::BTreeMap;

use job::{EVERYWHERE, Ended, Job};
use kiln::expr::{Expr, col, lit};
use kiln::{Class, Context, Dataset};
use proptest::prelude::*;

/// What the driver may keep per round of a cached loop: the plan nodes from which its rows could be
/// recomputed, and a few numbers.
const KILOBYTES_PER_ROUND: u64 = 8;

fn deep(cluster: &str, shape: &str, rounds: u64) -> Ended {
    let job = Job::new(env!("CARGO_BIN_EXE_deep")).on(cluster).env("NO_PROGRESS", "1");
    job.arg(shape).arg(rounds.to_string()).run().ok()
}

#[test]
fn a_loop_of_exchanges_ends_with_its_result() {
    for cluster in EVERYWHERE {
        let ended = deep(cluster, "reduce", 3000);
        assert!(ended.stdout.contains("(1, 3000)") && ended.stdout.contains("(2, 3000)"), "{}", ended.stdout);
    }
}

#[test]
fn a_loop_without_exchanges_ends_with_its_result() {
    for cluster in EVERYWHERE {
        assert_eq!(deep(cluster, "erase", 20_000).stdout, "[20000, 20001]\n", "{cluster}");
    }
}

#[test]
fn a_loop_of_unions_ends_with_its_result() {
    for cluster in EVERYWHERE {
        assert_eq!(deep(cluster, "union", 5000).stdout, "12502500\n", "{cluster}");
    }
}

#[test]
fn rows_that_are_joined_with_themselves_in_every_round_are_not_computed_twice_as_often_in_each() {
    for cluster in EVERYWHERE {
        assert_eq!(deep(cluster, "join", 200).stdout, "[(7, 201)]\n", "{cluster}");
    }
}

#[test]
fn deep_plans_are_explained_and_dropped() {
    assert_eq!(deep("local[2]", "explained", 3000).stdout, "true\ntrue\n");
    assert_eq!(deep("local[2]", "dropped", 100_000).stdout, "dropped\n");
}

#[test]
fn a_late_round_of_a_cached_loop_costs_what_an_early_one_does() {
    // Rounds on executors wait for the network, so there are fewer of them.
    for (cluster, rounds) in EVERYWHERE.into_iter().zip([5000, 800]) {
        let stdout = deep(cluster, "cached", rounds).stdout;
        let (rows, costs) = stdout.trim_end().split_once('\n').unwrap();
        assert!(rows.contains(&format!("(1, {rounds})")), "{rows}");
        let costs: Vec<u64> = costs.split(' ').map(|number| number.parse().unwrap()).collect();
        let [early, late, grown] = costs[..] else { panic!("{stdout}") };
        assert!(late <= 3 * early, "{cluster}: {early} µs a round became {late} µs");
        assert!(grown <= KILOBYTES_PER_ROUND * rounds, "{cluster}: {grown} kB more after {rounds} rounds");
    }
}

/// Part of a generated loop.
#[derive(Clone, Debug)]
enum Rounds {
    /// `map(..).erase()`, this many times.
    Narrow(u64),
    /// `reduce_by_key`, with the remainder by this number as the key.
    Wide(u64, u64),
    /// A union with the rows of an earlier step.
    Union(usize),
    /// `cache`, then an action, then `unpersist` of the previous cache.
    Cache,
}

fn rounds() -> impl Strategy<Value = Rounds> {
    prop_oneof![
        (1..400u64).prop_map(Rounds::Narrow),
        (1..60u64, 1..5u64).prop_map(|(rounds, keys)| Rounds::Wide(rounds, keys)),
        any::<usize>().prop_map(Rounds::Union),
        Just(Rounds::Cache),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_generated_loop_gives_what_its_steps_give_on_a_vector(
        rows in prop::collection::vec(0..100u64, 1..6),
        steps in prop::collection::vec(rounds(), 1..12),
    ) {
        let cx = Context::local(2);
        let mut expected = vec![rows.clone()];
        let mut datasets = vec![cx.parallelize_in(2, rows).erase()];
        let mut cached: Option<Dataset<u64>> = None;
        for step in &steps {
            let rows = datasets.last().unwrap().clone();
            let mut model = expected.last().unwrap().clone();
            let next = match step {
                Rounds::Narrow(rounds) => {
                    model.iter_mut().for_each(|n| *n += rounds);
                    (0..*rounds).fold(rows, |rows, _| rows.map(|n| n + 1).erase())
                }
                Rounds::Wide(rounds, keys) => {
                    (0..*rounds).for_each(|_| model = reduced(&model, *keys));
                    (0..*rounds).fold(rows, |rows, _| {
                        let pairs = rows.map_with(&cx.share(*keys), |keys, n| (n % keys, n));
                        pairs.reduce_by_key(|a, b| (a + b) % 1_000_003).values().erase()
                    })
                }
                Rounds::Union(at) => {
                    let other = at % datasets.len();
                    model.extend(&expected[other]);
                    rows.union(datasets[other].clone())
                }
                Rounds::Cache => {
                    let rows = rows.cache();
                    prop_assert_eq!(rows.count().unwrap(), model.len() as u64);
                    if let Some(before) = cached.replace(rows.clone()) {
                        before.unpersist();
                    }
                    rows
                }
            };
            expected.push(model);
            datasets.push(next);
        }
        let mut found = datasets.last().unwrap().collect().unwrap();
        let mut expected = expected.pop().unwrap();
        found.sort_unstable();
        expected.sort_unstable();
        prop_assert_eq!(found, expected);
    }
}

fn reduced(rows: &[u64], keys: u64) -> Vec<u64> {
    let mut sums = BTreeMap::new();
    for n in rows {
        sums.entry(n % keys).and_modify(|sum| *sum = (*sum + n) % 1_000_003).or_insert(*n);
    }
    sums.into_values().collect()
}

#[test]
fn a_filter_of_any_depth_is_an_answer_or_a_config_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("numbers").display().to_string();
    let cx = Context::local(2);
    cx.range(0..100).write_parquet(&path).unwrap();
    let read = |filter| cx.read().filter(filter).parquet::<u64>(&path).count();
    let part = |n: u64| col("value").eq(lit(n));
    let not = |filter| Expr::Not(Box::new(filter));
    assert_eq!(read((1..2000).fold(part(0), |any: Expr, n| any.or(part(2 * n)))).unwrap(), 50);
    assert_eq!(read((0..2000).fold(lit(true), |all: Expr, n| all.and(not(part(3 * n))))).unwrap(), 66);
    assert_eq!(read(col("value").in_list((0..2000u64).map(lit).collect(), false)).unwrap(), 100);
    let error = read((0..100_000).fold(part(0), |filter, _| not(filter))).unwrap_err();
    assert_eq!(error.class(), Class::Config, "{error}");
    let many = (0..100_000).fold(cx.read(), |read, _| read.filter(col("value").lt(lit(5u64))));
    assert_eq!(many.parquet::<u64>(&path).count().unwrap(), 5);
}

#[test]
fn json_of_any_depth_is_an_answer_or_a_data_error_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep.json").display().to_string();
    for (levels, is_refused) in [(900, false), (5_000, true), (100_000, true), (1_000_000, true)] {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let deep = format!("{}1{}", open.repeat(levels), close.repeat(levels));
            let other = format!("{{\"value\":1}}\n{{\"value\":2,\"other\":{deep}}}\n");
            std::fs::write(&path, other).unwrap();
            let read = Context::local(1).read_json::<u64>(&path).count();
            match read {
                Ok(rows) => assert!(!is_refused && rows == 2, "{levels} levels"),
                Err(error) => assert!(error.class() == Class::Data && error.to_string().contains("line 2")),
            }
            // The error message shows a value that does not fit.
            std::fs::write(&path, format!("{{\"value\":1}}\n{{\"value\":{deep}}}\n")).unwrap();
            let error = Context::local(1).read_json::<u64>(&path).count().unwrap_err();
            assert_eq!(error.class(), Class::Data);
            assert!(error.to_string().contains("line 2"), "{levels} levels");
        }
    }
}
