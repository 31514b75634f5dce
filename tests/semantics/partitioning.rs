//! Where rows lie and in what order: `repartition`, `partition_by`, `sort_by` and their kin.

use kiln::{Class, Context, Dataset, Partitioner};

use crate::random::Random;
use crate::support::{check, check_ordered, for_each_seed, local};

#[test]
fn repartition_deals_rows_out_in_turn() {
    for_each_seed(|seed| {
        let rows = Random::new(seed).rows(100, |r| r.below(1000));
        for partitions in [1, 3, 8] {
            check(&rows, |s| s.rows(&rows).repartition(partitions).collect());
        }
        // Behind it every partition has nearly as many rows as the next.
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
    for rows in [pairs().repartition(0), pairs().partition_by(Partitioner::Range(0)), by_fn, sorted] {
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
