//! State that outlives an action: caches, loop variables, shared values, and the context itself.

use std::sync::atomic::{AtomicU64, Ordering};

use kiln::Dataset;

use crate::random::Random;
use crate::support::{check_ordered, for_each_seed, local};

#[test]
fn nothing_is_computed_before_an_action() {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let rows = local().range(0..10).map(|n| CALLS.fetch_add(n, Ordering::SeqCst)).key_by(|n| n % 2);
    let sorted = rows.reduce_by_key(|a, b| a + b).sort_by_key().cache();
    assert!(!sorted.explain().unwrap().is_empty());
    assert_eq!(CALLS.load(Ordering::SeqCst), 0);
    sorted.count().unwrap();
    assert_eq!(CALLS.load(Ordering::SeqCst), 45);
}

#[test]
fn a_cache_is_computed_once_for_all_actions() {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let squares = local().parallelize_in(4, 0..100u64).map(|n: u64| count(&CALLS, n * n)).cache();
    assert_eq!(squares.count().unwrap(), 100);
    assert_eq!(squares.reduce(|a, b| a + b).unwrap(), Some(328_350));
    assert_eq!(squares.clone().filter(|n| n > 9000).collect().unwrap(), [9025, 9216, 9409, 9604, 9801]);
    assert_eq!(squares.key_by(|n| n % 2).sort_by_key().count().unwrap(), 100);
    assert_eq!(CALLS.load(Ordering::SeqCst), 100);
}

#[test]
fn a_cache_is_computed_once_for_two_branches_of_one_job() {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let pairs = local().parallelize_in(4, 0..100u64).map(|n: u64| (n % 7, count(&CALLS, n))).cache();
    let sums = pairs.clone().reduce_by_key(|a, b| a + b);
    assert_eq!(pairs.clone().join(sums).union(pairs.clone().join(pairs)).count().unwrap(), 100 + 1430);
    assert_eq!(CALLS.load(Ordering::SeqCst), 100);
}

#[test]
fn without_a_cache_every_action_computes_its_rows() {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let rows = local().parallelize_in(4, 0..100u64).map(|n: u64| count(&CALLS, n));
    assert_eq!((rows.count().unwrap(), rows.count().unwrap()), (100, 100));
    assert_eq!(CALLS.load(Ordering::SeqCst), 200);
}

/// Counts a call of a closure. A static is not captured.
fn count<T>(calls: &AtomicU64, value: T) -> T {
    calls.fetch_add(1, Ordering::SeqCst);
    value
}

#[test]
fn a_cache_gives_the_same_rows_in_every_place() {
    for_each_seed(|seed| {
        let rows = Random::new(seed).pairs(300, 20);
        let mut expected = rows.clone();
        expected.sort_by_key(|pair| pair.0);
        check_ordered(&expected, |s| {
            let sorted = s.rows(&rows).cache().sort_by_key().cache();
            assert_eq!(sorted.count()?, 300);
            assert_eq!(sorted.take(3)?, expected[..3]);
            sorted.collect()
        });
    });
}

/// Ranks pass through five rounds of join, reduce and a shared value, as in a PageRank.
#[test]
fn a_dataset_is_a_loop_variable() {
    for_each_seed(|seed| {
        let mut random = Random::new(seed);
        let links: Vec<(u64, u64)> = random.rows(120, |r| (r.below(20), r.below(20)));
        let start: Vec<(u64, f64)> = (0..20).map(|page| (page, 1.0)).collect();
        check_ordered(&ranks_by_loops(&links, &start), |s| {
            let links = s.rows(&links).cache();
            let mut ranks: Dataset<(u64, f64)> = s.rows(&start);
            for round in 0..5 {
                let shift = s.cx().share(f64::from(round));
                let flow = links.clone().join(ranks.clone()).map(|(_, (to, rank))| (to, rank / 8.0));
                let nothing = ranks.map_values(|_| 0.0);
                ranks = flow
                    .union(nothing)
                    .reduce_by_key(|a, b| a + b)
                    .map_values_with(&shift, |shift, r| r + shift)
                    .erase();
            }
            // All numbers have few binary digits, so the order of additions does not matter.
            ranks.sort_by_key().collect()
        });
    });
}

fn ranks_by_loops(links: &[(u64, u64)], start: &[(u64, f64)]) -> Vec<(u64, f64)> {
    let mut ranks = start.to_vec();
    for round in 0..5 {
        let mut next = vec![0.0; ranks.len()];
        links.iter().for_each(|(from, to)| next[*to as usize] += ranks[*from as usize].1 / 8.0);
        ranks = (0..).zip(next).map(|(page, rank)| (page, rank + f64::from(round))).collect();
    }
    ranks
}

#[test]
fn a_shared_value_may_change_from_round_to_round() {
    check_ordered(&[(0u64..50).map(|n| ((n + 1) * 2 + 1) * 2 + 1).sum::<u64>()], |s| {
        let mut rows = s.cx().parallelize_in(s.partitions, 0..50u64).erase();
        for (factor, shift) in [(1u64, 1u64), (2, 1), (2, 1)] {
            let shared = s.cx().share((factor, shift));
            rows = rows.map_with(&shared, |(factor, shift), n| n * factor + shift).erase();
        }
        Ok(vec![rows.reduce(|a, b| a + b)?.unwrap_or(0)])
    });
}

#[test]
fn the_result_of_one_action_may_be_the_shared_value_of_the_next() {
    for_each_seed(|seed| {
        let numbers = Random::new(seed).rows(200, |r| r.below(1000));
        // Each round keeps the numbers up to the mean of the remaining ones.
        let mut limit = 1000;
        for _ in 0..4 {
            let left: Vec<u64> = numbers.iter().copied().filter(|n| *n <= limit).collect();
            limit = left.iter().sum::<u64>() / left.len() as u64;
        }
        check_ordered(&[limit], |s| {
            let (rows, mut limit) = (s.rows(&numbers).cache(), 1000u64);
            for _ in 0..4 {
                let shared = s.cx().share(limit);
                let left = rows.clone().filter_with(&shared, |limit, n| n <= *limit);
                limit = left.reduce(|a, b| a + b)?.unwrap_or(0) / left.count()?;
            }
            Ok(vec![limit])
        });
    });
}

#[test]
fn actions_of_several_threads_share_one_context_and_one_dataset() {
    check_ordered(&[[45u64; 4]], |s| {
        let sums =
            s.cx().parallelize_in(s.partitions, 0..10u64).key_by(|n| n % 3).reduce_by_key(|a, b| a + b);
        let count = |_: &u64| sums.clone().map_to::<u64>(|(_, n)| n).reduce(|a, b| a + b);
        std::thread::scope(|scope| {
            let threads = [0u64; 4].map(|i| scope.spawn(move || count(&i)));
            let sums = threads.map(|thread| thread.join().expect("no action panics").map(Option::unwrap));
            let [a, b, c, d] = sums;
            Ok(vec![[a?, b?, c?, d?]])
        })
    });
}
