//! Groups, cogroups and aggregates by key, compared with a `BTreeMap`.

use std::collections::{BTreeMap, BTreeSet};

use crate::random::Random;
use crate::support::{check, for_each_seed};

/// The values of each key, in order.
fn groups<K: Ord + Clone, V: Clone>(pairs: &[(K, V)]) -> BTreeMap<K, Vec<V>> {
    let mut groups = BTreeMap::<K, Vec<V>>::new();
    pairs.iter().for_each(|(key, value)| groups.entry(key.clone()).or_default().push(value.clone()));
    groups
}

#[test]
fn group_by_key_gives_the_values_of_a_key_in_their_order() {
    for_each_seed(|seed| {
        let pairs = Random::new(seed).pairs(300, 40);
        let expected: Vec<_> = groups(&pairs).into_iter().collect();
        check(&expected, |s| s.rows(&pairs).group_by_key().collect());
    });
}

#[test]
fn groups_hold_strings_and_options_under_string_keys() {
    for_each_seed(|seed| {
        let pairs = Random::new(seed).rows(200, |r| (r.string(), (r.below(3) > 0).then(|| r.string())));
        let expected: Vec<_> = groups(&pairs).into_iter().collect();
        check(&expected, |s| s.rows(&pairs).group_by_key().collect());
    });
}

#[test]
fn group_by_gives_the_rows_of_a_key() {
    for_each_seed(|seed| {
        let words = Random::new(seed).rows(150, |r| r.string());
        let keyed: Vec<(u64, String)> = words.iter().map(|w| (w.len() as u64, w.clone())).collect();
        let expected: Vec<_> = groups(&keyed).into_iter().collect();
        check(&expected, |s| s.rows(&words).group_by(|word| word.len() as u64).collect());
        check(&expected, |s| {
            let offset = s.cx().share(0u64);
            s.rows(&words).group_by_with(&offset, |offset, word| word.len() as u64 + offset).collect()
        });
    });
}

#[test]
fn cogroup_gives_the_values_of_both_sides_and_none_where_a_side_lacks_the_key() {
    for_each_seed(|seed| {
        let mut random = Random::new(seed);
        let left = random.pairs(100, 30);
        let right = random.rows(60, |r| (10 + r.below(30), r.string()));
        let (lefts, rights) = (groups(&left), groups(&right));
        let keys: BTreeSet<u64> = lefts.keys().chain(rights.keys()).copied().collect();
        let of = |key: &u64| {
            (lefts.get(key).cloned().unwrap_or_default(), rights.get(key).cloned().unwrap_or_default())
        };
        let expected: Vec<_> = keys.iter().map(|key| (*key, of(key))).collect();
        check(&expected, |s| s.rows(&left).cogroup(s.rows(&right)).collect());
    });
}

#[test]
fn cogroups_of_three_and_four_give_the_values_of_every_side() {
    for_each_seed(|seed| {
        let mut random = Random::new(seed);
        let (a, b) = (random.pairs(100, 30), random.rows(60, |r| (10 + r.below(30), r.string())));
        let (c, d) =
            (random.rows(50, |r| (r.below(60), r.below(2) == 0)), random.rows(9, |r| (r.below(90), 1_u8)));
        let (ga, gb, gc, gd) = (groups(&a), groups(&b), groups(&c), groups(&d));
        let three: BTreeSet<u64> = ga.keys().chain(gb.keys()).chain(gc.keys()).copied().collect();
        let four: BTreeSet<u64> = three.iter().chain(gd.keys()).copied().collect();
        let of = |key: &u64| (values(&ga, key), values(&gb, key), values(&gc, key));
        let expected: Vec<_> = three.iter().map(|key| (*key, of(key))).collect();
        check(&expected, |s| s.rows(&a).cogroup3(s.rows(&b), s.rows(&c)).collect());
        let of = |key: &u64| (values(&ga, key), values(&gb, key), values(&gc, key), values(&gd, key));
        let expected: Vec<_> = four.iter().map(|key| (*key, of(key))).collect();
        check(&expected, |s| s.rows(&a).cogroup4(s.rows(&b), s.rows(&c), s.rows(&d)).collect());
        // The last side is already hash-partitioned, and so is the output.
        check(&expected, |s| {
            let placed = s.rows(&d).partition_by(kiln::Partitioner::Hash(s.partitions));
            let grouped = s.rows(&a).cogroup4(s.rows(&b), s.rows(&c), placed);
            let keys = grouped.clone().map_values(|_| 0_u8);
            grouped
                .join(keys)
                .map_values(|(lists, _)| {
                    (lists.0.to_vec(), lists.1.to_vec(), lists.2.to_vec(), lists.3.to_vec())
                })
                .collect()
        });
    });
}

/// The values of a key; empty if there are none.
fn values<V: Clone>(groups: &BTreeMap<u64, Vec<V>>, key: &u64) -> Vec<V> {
    groups.get(key).cloned().unwrap_or_default()
}

#[test]
fn groups_of_nothing_are_nothing() {
    let none: Vec<(u64, u64)> = Vec::new();
    check::<(u64, Vec<u64>)>(&[], |s| s.rows(&none).group_by_key().collect());
    check::<(u64, (Vec<u64>, Vec<u64>))>(&[], |s| s.rows(&none).cogroup(s.rows(&none)).collect());
}

#[test]
fn a_group_behind_a_reduce_finds_the_keys_where_they_lie() {
    for_each_seed(|seed| {
        let pairs = Random::new(seed).pairs(200, 30);
        let sums = groups(&pairs).into_iter().map(|(key, all)| (key, vec![all.iter().sum::<i64>()]));
        let expected: Vec<_> = sums.collect();
        check(&expected, |s| s.rows(&pairs).reduce_by_key(|a, b| a + b).group_by_key().collect());
    });
}

#[test]
fn aggregate_by_key_starts_every_key_from_its_zero() {
    for_each_seed(|seed| {
        let pairs = Random::new(seed).rows(300, |r| (r.below(30), r.string()));
        let longest = |all: &Vec<String>| all.iter().map(String::len).max().unwrap_or(0) as u64;
        let expected: Vec<(u64, (u64, u64))> =
            groups(&pairs).iter().map(|(key, all)| (*key, (all.len() as u64, longest(all)))).collect();
        check(&expected, |s| {
            s.rows(&pairs)
                .aggregate_by_key(
                    (0u64, 0u64),
                    |(count, longest), word| (count + 1, longest.max(word.len() as u64)),
                    |a, b| (a.0 + b.0, a.1.max(b.1)),
                )
                .collect()
        });
    });
}

#[test]
fn combine_by_key_makes_an_accumulator_of_the_first_value() {
    for_each_seed(|seed| {
        let pairs = Random::new(seed).pairs(300, 30);
        let expected: Vec<(u64, (i64, i64))> = groups(&pairs)
            .iter()
            .map(|(key, all)| (*key, (*all.iter().min().unwrap(), *all.iter().max().unwrap())))
            .collect();
        check(&expected, |s| {
            s.rows(&pairs)
                .combine_by_key(
                    |n| (n, n),
                    |(min, max), n| (min.min(n), max.max(n)),
                    |a, b| (a.0.min(b.0), a.1.max(b.1)),
                )
                .collect()
        });
    });
}

#[test]
fn count_by_key_counts_pairs() {
    for_each_seed(|seed| {
        let pairs = Random::new(seed).rows(300, |r| (r.string(), r.below(3)));
        let expected: Vec<(String, u64)> =
            groups(&pairs).into_iter().map(|(key, all)| (key, all.len() as u64)).collect();
        check(&expected, |s| s.rows(&pairs).count_by_key().collect());
    });
}

#[test]
fn aggregates_by_key_see_the_shared_value() {
    for_each_seed(|seed| {
        let pairs = Random::new(seed).pairs(300, 30);
        let modulus = 97;
        let expected: Vec<(u64, i64)> = groups(&pairs)
            .iter()
            .map(|(key, all)| (*key, all.iter().map(|n| n.rem_euclid(modulus)).sum::<i64>() % modulus))
            .collect();
        check(&expected, |s| {
            let m = s.cx().share(97i64);
            let rows = s.rows(&pairs).map_values_with(&m, |m, n| n.rem_euclid(*m));
            rows.reduce_by_key_with(&m, |m, a, b| (a + b) % m).collect()
        });
        check(&expected, |s| {
            let m = s.cx().share(97i64);
            s.rows(&pairs).fold_by_key_with(&m, 0, |m, a, b| (a + b.rem_euclid(*m)) % m).collect()
        });
        check(&expected, |s| {
            let m = s.cx().share(97i64);
            let add = |m: &i64, acc: i64, n: i64| (acc + n.rem_euclid(*m)) % m;
            s.rows(&pairs).aggregate_by_key_with(&m, 0i64, add, |m, a, b| (a + b) % m).collect()
        });
        check(&expected, |s| {
            let m = s.cx().share(97i64);
            let first = |m: &i64, n: i64| n.rem_euclid(*m);
            let add = |m: &i64, acc: i64, n: i64| (acc + n.rem_euclid(*m)) % m;
            s.rows(&pairs).combine_by_key_with(&m, first, add, |m, a, b| (a + b) % m).collect()
        });
    });
}
