//! Operators that see aligned partitions or whole partitions: zip, zip_partitions, glom.

use kiln::{Class, Dataset, Error};

use crate::random::Random;
use crate::support::{check_ordered, for_each_seed, for_each_setting, kinds, local};

#[test]
fn zip_pairs_the_rows_of_equal_positions() {
    for_each_seed(|seed| {
        let lines = Random::new(seed).rows(150, Random::line);
        let expected: Vec<(String, u64)> =
            lines.iter().map(|line| (line.clone(), line.len() as u64)).collect();
        check_ordered(&expected, |s| {
            let rows = s.rows(&lines);
            rows.clone().zip(rows.map(|line: &str| line.len() as u64)).collect()
        });
        check_ordered(&expected, |s| {
            // One side comes from an exchange, the other one from a cache.
            let kept = s.rows(&lines).cache();
            let lengths = kept.clone().map(|line: &str| line.len() as u64);
            let moved = lengths.zip_with_index().map(|(n, at)| (at, n)).sort_by_key().values().coalesce(1);
            kept.coalesce(1).zip(moved).collect()
        });
    });
}

#[test]
fn zip_of_nothing_is_nothing_and_takes_no_more_than_is_asked_for() {
    check_ordered(&Vec::<(u64, u64)>::new(), |s| s.rows::<u64>(&[]).zip(s.rows(&[])).collect());
    check_ordered(&[(0_u64, 0_u64), (1, 1), (2, 2)], |s| {
        let numbers: Vec<u64> = (0..500).collect();
        s.rows(&numbers).filter(|_| true).zip(s.rows(&numbers)).take(3)
    });
}

#[test]
fn partitions_of_unequal_lengths_are_a_data_error_that_names_partition_and_counts() {
    for_each_seed(|seed| {
        let mut random = Random::new(seed);
        let counts: Vec<(u64, u64)> = random.rows(3, |r| (r.below(200), r.below(200)));
        let wrong = counts.iter().position(|(left, right)| left != right);
        // Partition p of a side has as many rows as its count.
        let side = |s: crate::support::Setting, of: fn(&(u64, u64)) -> u64| {
            let counts: Vec<u64> = counts.iter().map(of).collect();
            s.cx().parallelize_in(3, counts).flat_map(|n| 0..n)
        };
        for_each_setting(|s, name| {
            let zipped = side(s, |counts| counts.0).zip(side(s, |counts| counts.1)).count();
            let Some(_) = wrong else { return assert!(zipped.is_ok(), "{name}") };
            let error = zipped.unwrap_err();
            assert_eq!(error.class(), Class::Data, "{name}: {error}");
            let names = |at: usize| {
                let (left, right) = counts[at];
                let text = format!("{left} rows in one dataset and {right} in the other, at partition {at}");
                left != right && error.to_string().contains(&text)
            };
            assert!((0..3).any(names), "{name}: {error}, expected one of {counts:?}");
        });
    });
}

#[test]
fn unequal_numbers_of_partitions_are_a_config_error() {
    let rows = |partitions| local().parallelize_in(partitions, 0..10_u64);
    let error = rows(2).zip(rows(3)).count().unwrap_err();
    assert_eq!(error.class(), Class::Config);
    assert!(
        error.to_string().starts_with("zip: one dataset has 2 partitions, the other 3, at line"),
        "{error}"
    );
    let zipped = rows(2).zip_partitions(rows(3), |_, left, _| left);
    let error = zipped.count().unwrap_err();
    assert!(error.to_string().starts_with("zip_partitions: one dataset has 2"), "{error}");
}

#[test]
fn what_fails_on_either_side_of_a_zip_fails_the_job_with_its_own_error() {
    for place in kinds() {
        let good = || place.cx.parallelize_in(2, 0..1000_u64).erase();
        let bad = || good().map(|n: u64| if n == 700 { panic!("bad luck") } else { n }).erase();
        let fails = |zipped: Dataset<u64>| {
            let error = zipped.count().unwrap_err();
            assert!(error.to_string().starts_with("the job panicked: bad luck"), "{error}");
        };
        fails(bad().zip(good()).keys().erase());
        fails(good().zip(bad()).keys().erase());
        fails(bad().zip_partitions(good(), |_, left, right| left.zip(right).map(|(n, _)| n)));
        fails(good().zip_partitions(bad(), |_, left, right| left.zip(right).map(|(n, _)| n)));
        let refused = good().map(|n: u64| if n > 5 { Err(Error::data("none")) } else { Ok(n) }.unwrap_or(n));
        assert_eq!(refused.erase().zip(good()).count().unwrap(), 1000);
    }
}

#[test]
fn zip_partitions_sees_both_partitions_and_the_shared_value() {
    for_each_seed(|seed| {
        let mut random = Random::new(seed);
        let (left, right) = (random.rows(90, |r| r.below(100)), random.rows(60, Random::line));
        for_each_setting(|s, name| {
            let n = s.partitions;
            let of = |len: usize, p: usize| len * p / n..len * (p + 1) / n;
            let expected: Vec<(u64, u64, String)> = (0..n)
                .map(|p| {
                    let numbers: u64 = left[of(left.len(), p)].iter().sum();
                    (p as u64, numbers + 7, right[of(right.len(), p)].join("|"))
                })
                .collect();
            let shared = s.cx().share(7_u64);
            let zipped =
                s.rows(&left).zip_partitions_with(&shared, s.rows(&right), |seven, p, numbers, lines| {
                    [(p as u64, numbers.sum::<u64>() + *seven, lines.collect::<Vec<_>>().join("|"))]
                });
            assert_eq!(zipped.collect().unwrap(), expected, "{name}");
            // A closure may read only one side, and stop early.
            let firsts = s.rows(&left).zip_partitions(s.rows(&right), |_, numbers, _| numbers.take(1));
            assert_eq!(firsts.count().unwrap(), n as u64, "{name}");
        });
    });
}

#[test]
fn what_both_sides_of_a_zip_count_is_counted_once() {
    for_each_setting(|s, name| {
        let counter = s.cx().counter("rows of a zip");
        let before = counter.value();
        let numbers: Vec<u64> = (0..100).collect();
        let rows = || s.rows(&numbers).inspect_with(&counter, |counter, _| counter.add(1));
        assert_eq!(rows().zip(rows()).count().unwrap(), 100);
        assert_eq!(counter.value() - before, 200, "{name}");
    });
}

#[test]
fn glom_gives_one_list_per_partition() {
    for_each_seed(|seed| {
        let lines = Random::new(seed).rows(100, |r| (r.below(3) > 0).then(|| r.line()));
        for_each_setting(|s, name| {
            let n = s.partitions;
            let cut = |p: usize| lines.len() * p / n;
            let expected: Vec<Vec<Option<String>>> =
                (0..n).map(|p| lines[cut(p)..cut(p + 1)].to_vec()).collect();
            assert_eq!(s.rows(&lines).glom().collect().unwrap(), expected, "{name}");
            assert_eq!(s.rows(&lines).filter(|_| false).glom().collect().unwrap(), vec![vec![]; n], "{name}");
        });
    });
}

#[test]
fn a_partition_too_large_for_a_list_is_a_resource_error_that_names_it() {
    let config =
        kiln::Config { memory: 8 << 20, ..crate::support::config(kiln::Cluster::Local { slots: 1 }) };
    let cx = crate::support::context(config, "glom");
    let error = cx.range_in(2, 0, 4_000_000, 1).glom().count().unwrap_err();
    assert_eq!(error.class(), Class::Resource, "{error}");
    assert!(error.to_string().contains("at partition 0, line"), "{error}");
}

#[test]
fn the_number_of_partitions_is_known_before_anything_runs() {
    for_each_setting(|s, name| {
        let rows = s.rows(&[1_u64, 2, 3]);
        let never = rows.clone().map(|_: u64| -> u64 { panic!("nothing runs") });
        assert_eq!(never.num_partitions(), s.partitions, "{name}");
        assert_eq!(rows.clone().union(rows.clone()).num_partitions(), 2 * s.partitions, "{name}");
        assert_eq!(rows.glom().count().unwrap() as usize, s.partitions, "{name}");
    });
}
