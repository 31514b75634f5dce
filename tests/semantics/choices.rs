//! Operators that select rows: filter_map, filter_by_range, lookup, samples, minima and maxima by a
//! key.

use std::collections::BTreeMap;

use kiln::Class;

use crate::random::Random;
use crate::support::{check, check_ordered, for_each_seed, for_each_setting, kinds, local};

/// Words, each with a number.
fn pairs(seed: u64) -> Vec<(String, i64)> {
    Random::new(seed).rows(200, |r| (r.string(), r.around_zero(5)))
}

#[test]
fn filter_map_gives_what_the_closure_keeps() {
    for_each_seed(|seed| {
        let lines = Random::new(seed).rows(200, Random::line);
        let lengths: Vec<u64> = lines.iter().filter_map(|l| l.find('k').map(|at| at as u64)).collect();
        check_ordered(&lengths, |s| s.rows(&lines).filter_map(|l| l.find('k').map(|at| at as u64)).collect());
        check_ordered(&lengths, |s| {
            let letter = s.cx().share('k');
            let find = |letter: &char, l: &str| l.find(*letter).map(|at| at as u64);
            s.rows(&lines).filter_map_with(&letter, find).collect()
        });
        let firsts: Vec<String> =
            lines.iter().filter_map(|l| l.split_once(' ').map(|(first, _)| first.to_owned())).collect();
        check_ordered(&firsts, |s| {
            s.rows(&lines).filter_map_to::<String>(|l| l.split_once(' ').map(|(first, _)| first)).collect()
        });
        check_ordered(&firsts, |s| {
            let blank = s.cx().share(" ".to_owned());
            let first = s.rows(&lines).filter_map_to_with::<String, _>(&blank, |blank, l| {
                l.split_once(blank.as_str()).map(|(first, _)| first)
            });
            first.collect()
        });
        // Rows that are `Option`s themselves.
        let options: Vec<Option<u64>> =
            lengths.iter().filter(|n| **n > 2).map(|n| (n % 2 == 0).then_some(*n)).collect();
        check_ordered(&options, |s| {
            s.rows(&lengths).filter_map(|n| (n > 2).then(|| (n % 2 == 0).then_some(n))).collect()
        });
    });
}

#[test]
fn filter_by_range_keeps_both_ends_in_the_order_of_keys() {
    for_each_seed(|seed| {
        let (pairs, mut random) = (pairs(seed), Random::new(seed ^ 1));
        let (a, b) = (random.string(), random.string());
        for (low, high) in [(&a, &b), (&b, &a), (&a, &a)] {
            let expected: Vec<(String, i64)> =
                pairs.iter().filter(|(word, _)| low <= word && word <= high).cloned().collect();
            check_ordered(&expected, |s| s.rows(&pairs).filter_by_range(low, high).collect());
            check(&expected, |s| {
                let by = kiln::Partitioner::Range(s.partitions);
                s.rows(&pairs).partition_by(by).filter_by_range(low, high).collect()
            });
        }
        let floats = [f64::NAN, -0.0, 0.0, 1.0, f64::INFINITY, f64::NEG_INFINITY].map(|key| (key, 0_u8));
        check_ordered(&[(1.0, 0_u8), (f64::INFINITY, 0)], |s| {
            s.rows(&floats).filter_by_range(0.5, f64::INFINITY).collect()
        });
        check_ordered(&[(f64::NAN, 0_u8)], |s| s.rows(&floats).filter_by_range(f64::NAN, f64::NAN).collect());
    });
}

#[test]
fn a_join_after_filter_by_range_finds_its_partners() {
    for_each_seed(|seed| {
        let pairs = Random::new(seed).pairs(200, 20);
        let mut sums = BTreeMap::new();
        pairs.iter().for_each(|(key, n)| *sums.entry(*key).or_insert(0) += n);
        let expected: Vec<(u64, (i64, i64))> = sums.range(5..=12).map(|(key, n)| (*key, (*n, *n))).collect();
        check(&expected, |s| {
            let sums = s.rows(&pairs).reduce_by_key(|a, b| a + b);
            sums.clone().filter_by_range(5, 12).join(sums).collect()
        });
    });
}

#[test]
fn lookup_gives_the_values_of_a_key_in_their_order_and_none_of_a_missing_one() {
    for_each_seed(|seed| {
        let pairs = pairs(seed);
        for key in [pairs[0].0.as_str(), pairs[99].0.as_str(), "no such word"] {
            let expected: Vec<i64> = pairs.iter().filter(|(word, _)| word == key).map(|(_, n)| *n).collect();
            check_ordered(&expected, |s| s.rows(&pairs).lookup(key));
            check(&expected, |s| {
                s.rows(&pairs).partition_by(kiln::Partitioner::Hash(s.partitions)).lookup(key)
            });
            let sum = (!expected.is_empty()).then(|| expected.iter().sum::<i64>());
            check_ordered(&Vec::from_iter(sum), |s| s.rows(&pairs).reduce_by_key(|a, b| a + b).lookup(key));
        }
    });
}

#[test]
fn a_lookup_by_hash_computes_the_partition_of_the_key_alone() {
    for_each_setting(|s, name| {
        let seen = s.cx().counter("rows of a lookup");
        let before = seen.value();
        let pairs: Vec<(u64, u64)> = (0..700).map(|n| (n, n)).collect();
        let placed = s.rows(&pairs).partition_by(kiln::Partitioner::Hash(s.partitions));
        let rows = placed.inspect_with(&seen, |seen, _| seen.add(1));
        assert_eq!(rows.lookup(3).unwrap(), [3], "{name}");
        let looked_at = seen.value() - before;
        assert!(looked_at < 2 * 700 / s.partitions as u64, "{name}: {looked_at} rows");
    });
}

#[test]
fn take_sample_has_the_exact_size_and_no_row_twice_unless_it_may() {
    for_each_seed(|seed| {
        let numbers: Vec<u64> = (0..300).collect();
        for n in [0, 1, 40, 300, 1000] {
            let sample = |cx: &kiln::Context, p, again| {
                cx.parallelize_in(p, numbers.clone()).take_sample(again, n, seed)
            };
            for partitions in [1, 7] {
                let once = sample(local(), partitions, false).unwrap();
                assert_eq!(once.len(), n.min(300));
                let mut sorted = once.clone();
                sorted.sort_unstable();
                assert!(
                    sorted.is_sorted_by(|a, b| a < b) && (n < 40 || sorted != once),
                    "each once, in random order"
                );
                let again = sample(local(), partitions, true).unwrap();
                assert!(again.len() == n && again.iter().all(|row| *row < 300));
                let different: std::collections::BTreeSet<&u64> = again.iter().collect();
                assert!(n != 300 || different.len() < 300, "300 draws of 300 rows hit one of them twice");
                check_ordered(&once, |s| sample(s.cx(), partitions, false));
                check_ordered(&again, |s| sample(s.cx(), partitions, true));
            }
        }
        let none: Vec<u64> = Vec::new();
        check_ordered(&none, |s| s.rows(&none).take_sample(true, 5, seed));
        check_ordered(&none, |s| s.rows(&none).take_sample(false, 5, seed));
    });
}

#[test]
fn take_sample_takes_every_row_equally_often() {
    for with_replacement in [false, true] {
        let mut hits = [0_u32; 10];
        for seed in 0..2000 {
            let rows = local().parallelize_in(3, 0..10_u64).take_sample(with_replacement, 3, seed).unwrap();
            rows.into_iter().for_each(|row| hits[row as usize] += 1);
        }
        assert!(hits.iter().all(|hits| (480..720).contains(hits)), "{hits:?}, expected about 600");
    }
}

#[test]
fn sample_by_key_takes_the_share_of_each_key_wherever_it_is_drawn() {
    for_each_seed(|seed| {
        let pairs: Vec<(String, u64)> = (0..3000).map(|n| (format!("key {}", n % 4), n)).collect();
        let shares =
            || [(0, 0.5), (1, 1.0), (0, 0.1), (2, 0.0)].map(|(key, share)| (format!("key {key}"), share));
        let rows = |cx: &kiln::Context| cx.parallelize_in(3, pairs.clone());
        let once = rows(local()).sample_by_key(false, shares(), seed).collect().unwrap();
        let count = |rows: &[(String, u64)], key: &str| rows.iter().filter(|row| row.0 == key).count();
        assert!((35..125).contains(&count(&once, "key 0")), "the later share of a key counts");
        assert_eq!((count(&once, "key 1"), count(&once, "key 2"), count(&once, "key 3")), (750, 0, 0));
        check_ordered(&once, |s| rows(s.cx()).sample_by_key(false, shares(), seed).collect());
        let twice = || [("key 1".to_owned(), 2.0)];
        let again = rows(local()).sample_by_key(true, twice(), seed).collect().unwrap();
        assert!((1250..1750).contains(&again.len()), "{} rows", again.len());
        check_ordered(&again, |s| rows(s.cx()).sample_by_key(true, twice(), seed).collect());
    });
    let wrong = local().range(0..9).key_by(|n| n).sample_by_key(false, [(1, 0.5), (2, 1.5)], 0);
    assert_eq!(wrong.count().unwrap_err().class(), Class::Config);
}

#[test]
fn extremes_by_a_key_are_those_of_an_iterator() {
    for_each_seed(|seed| {
        let pairs = pairs(seed);
        let rows = |rows: [Option<&(String, i64)>; 2]| rows.map(Option::<&(String, i64)>::cloned);
        let by_number = rows([pairs.iter().max_by_key(|row| row.1), pairs.iter().min_by_key(|row| row.1)]);
        check_ordered(&by_number, |s| {
            let rows = s.rows(&pairs);
            Ok(vec![rows.max_by_key(|(_, n)| n)?, rows.min_by_key(|(_, n)| n)?])
        });
        check_ordered(&by_number, |s| {
            let (rows, one) = (s.rows(&pairs), s.cx().share(1_i64));
            let (most, least) = (
                rows.max_by_key_with(&one, |one, (_, n)| n + one)?,
                rows.min_by_key_with(&one, |one, (_, n)| n + one)?,
            );
            Ok(vec![most, least])
        });
        let key = |row: &&(String, i64)| (row.1, row.0.clone());
        let by_both = rows([pairs.iter().max_by_key(key), pairs.iter().min_by_key(key)]);
        check_ordered(&by_both, |s| {
            let rows = s.rows(&pairs);
            let most = rows.max_by_key_to::<(i64, String)>(|(word, n)| (n, word))?;
            Ok(vec![most, rows.min_by_key_to::<(i64, String)>(|(word, n)| (n, word))?])
        });
        check_ordered(&by_both, |s| {
            let (rows, no) = (s.rows(&pairs), s.cx().share(0_i64));
            let most = rows.max_by_key_to_with::<(i64, String), _>(&no, |no, (word, n)| (n + no, word))?;
            let least = rows.min_by_key_to_with::<(i64, String), _>(&no, |no, (word, n)| (n + no, word))?;
            Ok(vec![most, least])
        });
        check_ordered(&[None, None::<u64>], |s| {
            let none = s.rows::<u64>(&[]);
            Ok(vec![none.max_by_key(|n| n)?, none.min_by_key(|n| n)?])
        });
    });
}

#[test]
fn a_panic_in_a_key_names_its_line() {
    for place in kinds() {
        let error =
            place.cx.range(0..10).max_by_key(|n| if n == 7 { panic!("bad luck") } else { n }).unwrap_err();
        assert!(
            error.to_string().contains("bad luck, at file") && error.to_string().contains("choices.rs"),
            "{error}"
        );
    }
}
