//! The partition and order of rows after `repartition`, `partition_by`, `sort_by` and similar
//! operators.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use kiln::chain::Chain;
use kiln::{Class, Context, Dataset, Partitioner, Row};

use crate::random::Random;
use crate::support::{check, check_ordered, for_each_seed, for_one_seed, kinds, local};

#[test]
fn repartition_deals_rows_out_in_turn() {
    for_each_seed(|seed| {
        let rows = Random::new(seed).rows(100, |r| r.below(1000));
        for partitions in [1, 3, 8] {
            check(&rows, |s| s.rows(&rows).repartition(partitions).collect());
        }
        // Afterwards all partitions have nearly the same number of rows.
        let dealt = local().parallelize_in(1, 0..100u64).repartition(4).collect().unwrap();
        let expected: Vec<u64> = (0..4).flat_map(|p| (p..100).step_by(4)).collect();
        assert_eq!(dealt, expected);
    });
}

#[test]
fn partition_by_hash_keeps_equal_keys_together_for_the_joins_behind_it() {
    for_each_seed(|seed| {
        let pairs = Random::new(seed).pairs(200, 30);
        check(&pairs, |s| s.rows(&pairs).partition_by(Partitioner::Hash(3)).collect());
        let placed = local().parallelize(pairs.clone()).partition_by(Partitioner::Hash(3));
        let plan = placed.clone().join(placed).explain().unwrap();
        assert_eq!(plan.matches("by hash of the key").count(), 1, "{plan}");
    });
}

#[test]
fn partition_by_range_puts_smaller_keys_in_earlier_partitions() {
    for_each_seed(|seed| {
        let pairs: Vec<(u64, u64)> = Random::new(seed).rows(300, |r| (r.below(1000), r.below(1000)));
        check(&pairs, |s| s.rows(&pairs).partition_by(Partitioner::Range(4)).collect());
        let mut sorted = pairs.clone();
        sorted.sort_by_key(|(key, _)| *key);
        check_ordered(&sorted, |s| {
            s.rows(&pairs).repartition_and_sort_within_partitions(Partitioner::Range(4)).collect()
        });
    });
}

#[test]
fn partition_by_a_function_puts_keys_where_it_says() {
    for_each_seed(|seed| {
        let pairs = Random::new(seed).pairs(200, 30);
        let of = |p: u64| pairs.iter().filter(move |(key, _)| key % 4 == p).copied();
        let expected: Vec<_> = (0..4).flat_map(of).collect();
        check_ordered(&expected, |s| s.rows(&pairs).partition_by_fn(4, |key| key as usize % 4).collect());
        check_ordered(&expected, |s| {
            let n = s.cx().share(4usize);
            s.rows(&pairs).partition_by_fn_with(&n, 4, |n, key| key as usize % n).collect()
        });
    });
}

#[test]
fn a_partition_that_is_not_there_is_a_fault_of_the_function() {
    let pairs = local().parallelize([(1u64, 1u64), (5, 5)]).partition_by_fn(5, |key| key as usize);
    let error = pairs.collect().unwrap_err();
    assert_eq!(error.class(), Class::Bug);
    assert!(error.to_string().contains("partition 5 of 5"), "{error}");
}

#[test]
fn no_partitions_at_all_are_refused() {
    let pairs = || local().parallelize([(1u64, 1u64)]);
    let sorted = pairs().repartition_and_sort_within_partitions(Partitioner::Hash(0));
    let by_fn = pairs().partition_by_fn(0, |_| 0);
    let coalesced = [pairs().coalesce(0), local().parallelize_in(3, [(1u64, 1u64); 9]).coalesce(0)];
    let asked = pairs().shuffle_partitions(0).reduce_by_key(|a, b| a + b);
    let rows = [pairs().repartition(0), pairs().partition_by(Partitioner::Range(0)), by_fn, sorted, asked];
    for rows in rows.into_iter().chain(coalesced) {
        assert_eq!(rows.collect().unwrap_err().class(), Class::Config);
    }
}

#[test]
fn sorting_within_partitions_leaves_keys_where_their_hash_says() {
    for_each_seed(|seed| {
        let pairs: Vec<(u64, u64)> = Random::new(seed).rows(200, |r| (r.below(50), r.below(1000)));
        check(&pairs, |s| {
            s.rows(&pairs).repartition_and_sort_within_partitions(Partitioner::Hash(3)).collect()
        });
        let one = local().parallelize(pairs.clone());
        let sorted = one.repartition_and_sort_within_partitions(Partitioner::Hash(1)).collect().unwrap();
        assert!(sorted.is_sorted_by_key(|(key, _)| *key));
    });
}

#[test]
fn ranges_are_even_although_the_sample_leaves_out_most_of_a_sorted_file() {
    const ROWS: u64 = 400_000;
    let cx = Context::local(2);
    let folder = tempfile::tempdir().unwrap();
    let (table, text) = (folder.path().join("table"), folder.path().join("numbers.txt"));
    let lines: String = (0..ROWS).map(|n| format!("{n:020}\n")).collect();
    std::fs::write(&text, lines).unwrap();
    let (table, text) = (table.display().to_string(), text.display().to_string());
    cx.range(0..ROWS).map_to::<(u64, u64)>(|n| (n, n)).write_parquet(&table).unwrap();

    let counts = |sorted: Dataset<(u64, u64)>| -> Vec<u64> {
        sorted.map_partitions(|_, rows| [rows.count() as u64]).collect().unwrap()
    };
    let of_table = counts(cx.read_parquet::<(u64, u64)>(&table).min_partitions(6).sort_by_key());
    let of_text = cx.read_text(&text).map_to::<(u64, u64)>(|line| (line.parse().unwrap_or(0), 0));
    for counts in [of_table, counts(of_text.min_partitions(6).sort_by_key())] {
        assert_eq!((counts.len(), counts.iter().sum()), (6, ROWS));
        assert!(counts.iter().all(|count| *count < 2 * ROWS / 6), "{counts:?}");
    }
}

#[test]
fn rows_that_lie_by_a_part_of_their_key_are_sorted_by_all_of_it() {
    for_each_seed(|seed| {
        let events = Random::new(seed).rows(200, |r| ((r.below(5), r.below(1000)), r.below(10)));
        let mut expected = events.clone();
        expected.sort_by_key(|(key, _)| *key);
        check_ordered(&expected, |s| {
            let by_user = s.rows(&events).partition_by_fn(5, |(user, _)| user as usize);
            by_user.sort_within_partitions().collect()
        });
    });
}

#[test]
fn sort_by_puts_rows_in_the_order_of_their_keys_and_keeps_equal_ones_as_they_were() {
    for_each_seed(|seed| {
        let words = Random::new(seed).rows(200, |r| r.string());
        let mut expected = words.clone();
        expected.sort_by_key(String::len);
        check_ordered(&expected, |s| s.rows(&words).sort_by(|word| word.len() as u64).collect());
        let mut expected = words.clone();
        expected.sort_by_key(|word| std::cmp::Reverse(word.len()));
        check_ordered(&expected, |s| {
            let most = s.cx().share(100u64);
            s.rows(&words).sort_by_with(&most, |most, word| most - word.len() as u64).collect()
        });
    });
}

/// Number of rows in each partition.
fn sizes<T: Row, C: Chain<Out = T>>(rows: Dataset<T, C>) -> Vec<u64> {
    rows.map_partitions(|_, rows| [rows.count() as u64]).collect().unwrap()
}

#[test]
fn an_exact_count_holds_for_every_operator_that_brings_keys_together_or_sorts() {
    for_one_seed(|seed| {
        let mut random = Random::new(seed);
        let (rows, n) = (random.pairs(60, 20), 2 + random.below(9) as usize);
        for place in kinds() {
            let pairs = || place.cx.parallelize_in(3, rows.clone()).shuffle_partitions(n);
            let others = || place.cx.parallelize_in(11, rows.clone());
            let counts = [
                ("reduce_by_key", sizes(pairs().reduce_by_key(|a, b| a + b))),
                ("count_by_key", sizes(pairs().count_by_key())),
                ("count_by_value", sizes(pairs().count_by_value())),
                ("distinct", sizes(pairs().distinct())),
                ("group_by_key", sizes(pairs().group_by_key())),
                ("cogroup", sizes(pairs().cogroup(others()))),
                ("join", sizes(pairs().join(others()))),
                ("join, asked for on the right", sizes(others().join(pairs()))),
                ("join of fewer", sizes(pairs().join(others().shuffle_partitions(1)))),
                ("join of placed pairs", sizes(pairs().join(others().partition_by(Partitioner::Hash(12))))),
                (
                    "cogroup of placed pairs",
                    sizes(pairs().cogroup(others().partition_by(Partitioner::Hash(12)))),
                ),
                (
                    "cogroup of three",
                    sizes(pairs().cogroup3(others().partition_by(Partitioner::Hash(12)), others())),
                ),
                ("full_outer_join", sizes(pairs().full_outer_join(others()))),
                ("left_semi_join", sizes(pairs().left_semi_join(others()))),
                ("subtract_by_key", sizes(pairs().subtract_by_key(others()))),
                ("intersection", sizes(pairs().intersection(others()))),
                ("subtract", sizes(pairs().subtract(others()))),
                ("sort_by_key", sizes(pairs().sort_by_key())),
                ("sort_by", sizes(pairs().sort_by(|(_, value)| value))),
                ("a narrow operator before", sizes(pairs().map(|(k, v)| (v, k)).reduce_by_key(|a, _| a))),
                (
                    "one after another",
                    sizes(pairs().reduce_by_key(|a, _| a).shuffle_partitions(n).distinct()),
                ),
            ];
            for (name, sizes) in counts {
                assert_eq!(sizes.len(), n, "{name}, {}", place.name);
            }
            let placed = others().partition_by(Partitioner::Hash(n + 1)).shuffle_partitions(n);
            let mut found = placed.reduce_by_key(|a, b| a + b).collect().unwrap();
            let mut expected = others().reduce_by_key(|a, b| a + b).collect().unwrap();
            found.sort_unstable();
            expected.sort_unstable();
            assert_eq!(found, expected);
        }
    });
}

#[test]
fn a_count_that_the_job_chose_is_kept_by_later_exchanges() {
    let cx = Context::local(2);
    let pairs = || cx.range(0..500).key_by(|n| n % 50);
    let sum = |a: u64, b: u64| a + b;
    for (name, kept, n) in [
        ("nothing", sizes(pairs().reduce_by_key(sum)), 1),
        ("repartition", sizes(pairs().repartition(5).reduce_by_key(sum)), 5),
        ("fewer of them", sizes(pairs().repartition(5).repartition(2).sort_by_key()), 2),
        ("coalesce", sizes(pairs().repartition(5).coalesce(3).distinct()), 3),
        ("coalesce to more", sizes(pairs().repartition(5).coalesce(9).distinct()), 5),
        ("parallelize_in", sizes(cx.parallelize_in(4, 0..9_u64).distinct()), 4),
        ("partition_by", sizes(pairs().partition_by(Partitioner::Range(3)).count_by_value()), 3),
        ("partition_by_fn", sizes(pairs().partition_by_fn(6, |k| k as usize % 6).group_by_key()), 6),
        ("an exact count", sizes(pairs().shuffle_partitions(7).reduce_by_key(sum).sort_by(|(k, _)| k)), 7),
        ("at least more", sizes(pairs().repartition(5).min_partitions(8).distinct()), 8),
        ("at least fewer", sizes(pairs().repartition(5).min_partitions(2).distinct()), 5),
        ("the larger of two", sizes(pairs().repartition(3).join(pairs().repartition(4))), 4),
        ("the larger of a union", sizes(pairs().repartition(3).union(pairs()).distinct()), 3),
    ] {
        assert_eq!(kept.len(), n, "{name}");
    }
}

#[test]
fn repartition_fills_new_partitions_evenly() {
    let cx = Context::local(3);
    for (before, after) in [(10, 20), (10, 100), (10, 7), (1, 100), (100, 1)] {
        let sizes = sizes(cx.parallelize_in(before, 0..100_u64).repartition(after));
        let (most, least) = (sizes.iter().max().unwrap(), sizes.iter().min().unwrap());
        assert!(sizes.len() == after && most - least <= 1, "from {before} to {after}: {sizes:?}");
    }
    for_each_seed(|seed| {
        let mut random = Random::new(seed);
        for _ in 0..20 {
            let (before, after) = (1 + random.below(40), 1 + random.below(60));
            let each = random.below(100);
            let rows = || cx.parallelize_in(before as usize, 0..before * each);
            let differ = |sizes: &[u64]| sizes.iter().max().unwrap() - sizes.iter().min().unwrap();
            // Partitions of equal size.
            let equal = sizes(rows().repartition(after as usize));
            assert!(differ(&equal) <= 1, "{before} of {each} rows to {after}: {equal:?}");
            assert_eq!(equal.iter().sum::<u64>(), before * each);
            // Partitions of different sizes, with the same result in every cluster.
            let any = || rows().filter(|n| n * n % 7 < 3).repartition(after as usize);
            assert!(differ(&sizes(any())) <= before);
            let alone = Context::local(1).parallelize_in(before as usize, 0..before * each);
            let alone = alone.filter(|n| n * n % 7 < 3).repartition(after as usize);
            assert_eq!(alone.collect().unwrap(), any().collect().unwrap());
        }
    });
}

#[test]
fn the_partitions_of_range_and_parallelize_follow_from_their_rows_alone() {
    let (one, many) = (Context::local(1), Context::local(7));
    for_each_seed(|seed| {
        let mut random = Random::new(seed);
        for most in [1, 100, 1000, 10_000, 100_000] {
            let rows = random.below(most);
            let of_range = sizes(many.range(0..rows));
            assert_eq!(of_range, sizes(one.range(0..rows)), "{rows} rows");
            assert_eq!(of_range, sizes(one.parallelize(0..rows)), "{rows} rows");
            assert_eq!(of_range, sizes(many.parallelize(0..rows)), "{rows} rows");
            assert_eq!(of_range.len() as u64, rows.div_ceil(128).clamp(1, 64), "{rows} rows");
            assert_eq!(many.parallelize(0..rows).collect().unwrap(), (0..rows).collect::<Vec<_>>());
        }
    });
}

#[test]
fn a_thousand_heavy_rows_give_every_slot_work() {
    static TASKS: AtomicU64 = AtomicU64::new(0);
    // Each task waits for three others that run at the same time.
    let met = Context::local(4).range(0..1000).map_partitions(|_, rows| {
        TASKS.fetch_add(1, Ordering::Relaxed);
        let started = Instant::now();
        while TASKS.load(Ordering::Relaxed) < 4 && started.elapsed() < Duration::from_secs(20) {
            std::thread::yield_now();
        }
        [(TASKS.load(Ordering::Relaxed) >= 4, rows.count() as u64)]
    });
    let met = met.collect().unwrap();
    assert!(met.iter().all(|(met, _)| *met), "{met:?}");
    assert_eq!(met.iter().map(|(_, rows)| rows).sum::<u64>(), 1000);
}
