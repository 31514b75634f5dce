//! Operators that hold rows, with less memory than their rows need: they give the same rows in several
//! passes.
//!
//! A task may hold 1 MiB here. A different order of the rows than with enough memory proves that there
//! were several passes.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use kiln::{Cluster, Config, Context, Dataset, Partitioner, Result};

use crate::random::Random;
use crate::support;

/// Number of keys of the right side, whose rows take several times the memory of a task.
const KEYS: u64 = 30_000;
/// A key with a large share of the rows.
const HOT: u64 = 7;

type Pairs = Vec<(u64, u64)>;

/// The reduced memory of each task.
const LITTLE: u64 = 1 << 20;

/// Contexts with little memory, over one partition and over three, by cluster. They are shared, because
/// starting executors takes longer than a test.
static LITTLES: LazyLock<[(Cluster, [Context; 2]); 2]> = LazyLock::new(|| {
    let places = [Cluster::Local { slots: 2 }, Cluster::LocalCluster { executors: 2, slots: 1 }];
    places.map(|cluster| (cluster, [1, 3].map(|partitions| context(cluster, LITTLE, partitions))))
});

fn context(cluster: Cluster, memory: u64, partitions: usize) -> Context {
    let exchange_partitions = Some(partitions);
    let config = Config { memory, exchange_partitions, batch_rows: 4096, ..support::config(cluster) };
    support::context(config, "small")
}

/// Runs `job` with enough memory and, in process and on executors, with little memory, over one
/// partition and over three. The rows must be the same, and with one partition their order must differ
/// if `reorders`.
fn check<T: Ord + Clone + std::fmt::Debug>(
    reorders: bool,
    job: impl Fn(&Context) -> Result<Vec<T>>,
) -> Vec<T> {
    let enough = job(&context(Cluster::Local { slots: 2 }, 1 << 30, 1)).unwrap();
    let mut expected = enough.clone();
    expected.sort();
    let mut orders: [Vec<Vec<T>>; 2] = Default::default();
    for (cluster, contexts) in LITTLES.iter() {
        for (found, orders) in contexts.iter().map(|cx| job(cx).unwrap()).zip(&mut orders) {
            let mut rows = found.clone();
            rows.sort();
            assert_eq!(rows.len(), expected.len(), "{cluster:?}");
            assert!(rows == expected, "the rows differ on {cluster:?}");
            orders.push(found);
        }
    }
    assert!(orders.iter().all(|o| o[0] == o[1]), "executors give the rows in another order");
    // A few rows may have the same order by chance.
    if reorders && enough.len() > 100 {
        assert!(enough != orders[0][0], "the rows came as if they had been held whole");
    }
    expected
}

fn pairs(cx: &Context, rows: &Pairs) -> Dataset<(u64, u64)> {
    cx.parallelize_in(4, rows.clone()).erase()
}

/// As many rows as keys, in a random order.
fn uniform(seed: u64, offset: u64) -> Pairs {
    Random::new(seed).rows(KEYS as usize, |r| (offset + r.below(KEYS), r.below(1000)))
}

/// Rows of which three in ten have the same key.
fn skewed(seed: u64, rows: usize, distinct: u64) -> Pairs {
    Random::new(seed).rows(rows, |r| (if r.below(10) < 3 { HOT } else { r.below(distinct) }, r.below(1000)))
}

fn by_key(rows: &Pairs) -> BTreeMap<u64, Vec<u64>> {
    let mut map = BTreeMap::<u64, Vec<u64>>::new();
    rows.iter().for_each(|(key, n)| map.entry(*key).or_default().push(*n));
    map
}

/// Result of a full outer join: keys with the values of each side.
type Matches = Vec<(u64, (Option<u64>, Option<u64>))>;

fn full_outer(left: &Pairs, right: &Pairs) -> Matches {
    let (lefts, rights) = (by_key(left), by_key(right));
    let mut rows = Vec::new();
    for (key, v) in left {
        match rights.get(key) {
            Some(all) => rows.extend(all.iter().map(|w| (*key, (Some(*v), Some(*w))))),
            None => rows.push((*key, (Some(*v), None))),
        }
    }
    let alone = right.iter().filter(|(key, _)| !lefts.contains_key(key));
    rows.extend(alone.map(|(key, w)| (*key, (None, Some(*w)))));
    rows.sort_unstable();
    rows
}

fn all_joins_agree(left: &Pairs, right: &Pairs) {
    let full = full_outer(left, right);
    let found = check(true, |cx| pairs(cx, left).full_outer_join(pairs(cx, right)).collect());
    assert!(found == full, "the full outer join differs from the model");
    let inner: Vec<_> = full.iter().filter_map(|(key, (v, w))| Some((*key, ((*v)?, (*w)?)))).collect();
    assert!(check(true, |cx| pairs(cx, left).join(pairs(cx, right)).collect()) == inner);
    let outer: Vec<_> = full.iter().filter_map(|(key, (v, w))| Some((*key, ((*v)?, *w)))).collect();
    assert!(check(true, |cx| pairs(cx, left).left_outer_join(pairs(cx, right)).collect()) == outer);
    let outer: Vec<_> = full.iter().filter_map(|(key, (v, w))| Some((*key, (*v, (*w)?)))).collect();
    assert!(check(true, |cx| pairs(cx, left).right_outer_join(pairs(cx, right)).collect()) == outer);
    let rights = by_key(right);
    let (mut semi, mut anti): (Pairs, Pairs) = left.iter().partition(|(key, _)| rights.contains_key(key));
    semi.sort_unstable();
    anti.sort_unstable();
    assert!(check(true, |cx| pairs(cx, left).left_semi_join(pairs(cx, right)).collect()) == semi);
    assert!(check(true, |cx| pairs(cx, left).left_anti_join(pairs(cx, right)).collect()) == anti);
}

#[test]
fn joins_of_more_than_memory_are_done_in_passes() {
    all_joins_agree(&uniform(1, KEYS / 4), &uniform(2, 0));
}

#[test]
fn joins_with_a_hot_key_on_the_left_are_done_in_passes() {
    all_joins_agree(&skewed(3, 20_000, KEYS * 2), &uniform(4, 0));
}

#[test]
fn joins_with_a_hot_key_on_the_right_hold_it_in_pieces() {
    let mut left = uniform(5, 0);
    left.truncate(3000);
    left.push((HOT, 1));
    all_joins_agree(&left, &skewed(6, 100_000, KEYS));
}

#[test]
fn joins_with_a_hot_key_on_both_sides_give_every_pair() {
    let (left, right) = (skewed(7, 24, 600), skewed(8, 40_000, 500));
    all_joins_agree(&left, &right);
}

#[test]
fn a_join_behind_reduce_by_key_runs_in_passes_without_computing_its_sides_again() {
    let (left, right) = (uniform(9, 0), uniform(10, 0));
    let sums = |rows: &Pairs| -> Pairs {
        by_key(rows).into_iter().map(|(key, all)| (key, all.iter().sum())).collect()
    };
    let found = check(true, |cx| {
        let left = pairs(cx, &left).reduce_by_key(|a, b| a + b);
        left.full_outer_join(pairs(cx, &right).reduce_by_key(|a, b| a + b)).collect()
    });
    assert!(found == full_outer(&sums(&left), &sums(&right)));
}

#[test]
fn aggregates_of_pairs_that_lie_by_their_key_go_beyond_memory() {
    let rows = uniform(11, 0);
    check(true, |cx| {
        let placed = pairs(cx, &rows).map_values(|n| format!("{n:060}")).partition_by(Partitioner::Hash(1));
        placed.reduce_by_key(std::cmp::max).collect()
    });
}

#[test]
fn groups_of_more_than_memory_are_made_in_passes() {
    let rows = uniform(11, 0);
    let expected: Vec<_> = by_key(&rows).into_iter().collect();
    assert!(check(false, |cx| pairs(cx, &rows).group_by_key().collect()) == expected);
    let other = uniform(12, KEYS / 2);
    let (lefts, rights) = (by_key(&rows), by_key(&other));
    let keys: std::collections::BTreeSet<u64> = lefts.keys().chain(rights.keys()).copied().collect();
    let of = |map: &BTreeMap<u64, Vec<u64>>, key| map.get(key).cloned().unwrap_or_default();
    let expected: Vec<_> = keys.iter().map(|key| (*key, (of(&lefts, key), of(&rights, key)))).collect();
    let found = check(false, |cx| pairs(cx, &rows).cogroup(pairs(cx, &other)).collect());
    assert!(found == expected);
    // The same after another operator in the same stage, which must not run again.
    let sums: Vec<_> = lefts.into_iter().map(|(key, all)| (key, vec![all.iter().sum::<u64>()])).collect();
    let found = check(false, |cx| pairs(cx, &rows).reduce_by_key(|a, b| a + b).group_by_key().collect());
    assert!(found == sums);
}

#[test]
fn cogroups_of_three_of_more_than_memory_are_made_in_passes() {
    let (first, second, third) = (uniform(21, 0), skewed(22, 8_000, KEYS), uniform(23, KEYS / 2));
    let sides = [by_key(&first), by_key(&second), by_key(&third)];
    let keys: std::collections::BTreeSet<u64> = sides.iter().flat_map(BTreeMap::keys).copied().collect();
    let of = |side: &BTreeMap<u64, Vec<u64>>, key: &u64| side.get(key).cloned().unwrap_or_default();
    let all = |key: &u64| (of(&sides[0], key), of(&sides[1], key), of(&sides[2], key));
    let expected: Vec<_> = keys.iter().map(|key| (*key, all(key))).collect();
    let found =
        check(false, |cx| pairs(cx, &first).cogroup3(pairs(cx, &second), pairs(cx, &third)).collect());
    assert!(found == expected);
}

#[test]
fn large_groups_of_different_keys_do_not_have_to_fit_together() {
    // Each list takes more than half of the memory of a task.
    let rows = |key: u64| vec![(key, 1); 12_000];
    for other in 100..108 {
        let found = check(false, |cx| pairs(cx, &rows(HOT)).cogroup(pairs(cx, &rows(other))).collect());
        let sizes = found.iter().map(|(key, (left, right))| (*key, left.len(), right.len()));
        assert!(sizes.eq([(HOT, 12_000, 0), (other, 0, 12_000)]), "{other}");
    }
}

#[test]
fn a_hot_key_is_grouped_as_long_as_it_fits() {
    let rows = skewed(13, 40_000, KEYS);
    let expected: Vec<_> = by_key(&rows).into_iter().collect();
    assert!(check(false, |cx| pairs(cx, &rows).group_by_key().collect()) == expected);
}

#[test]
fn a_group_that_does_not_fit_is_an_error_that_says_how_large_it_is() {
    let rows = skewed(14, 200_000, KEYS);
    let hot = rows.iter().filter(|(key, _)| *key == HOT).count();
    for (side, (_, [_, cx])) in [0, 1].into_iter().flat_map(|side| LITTLES.iter().map(move |on| (side, on))) {
        let few = pairs(cx, &vec![(HOT, 1), (1, 1)]);
        let error = match side {
            0 => pairs(cx, &rows).group_by_key().count().unwrap_err(),
            _ => few.cogroup(pairs(cx, &rows)).count().unwrap_err(),
        };
        assert_eq!(error.class(), kiln::Class::Resource);
        assert!(error.to_string().contains(&format!("the {hot} values of one key")), "{error}");
        assert!(error.to_string().contains("reduce_by_key"), "{error}");
    }
}

#[test]
fn sets_and_products_of_more_than_memory_are_made_in_passes() {
    let (left, right) = (uniform(15, 0), uniform(16, KEYS / 2));
    let lefts: std::collections::BTreeSet<_> = left.iter().map(|row| row.0).collect();
    let rights: std::collections::BTreeSet<_> = right.iter().map(|row| row.0).collect();
    let keys = |cx: &Context, rows: &Pairs| pairs(cx, rows).map(|(key, _)| key).erase();
    let common: Vec<u64> = lefts.intersection(&rights).copied().collect();
    // Distinct rows are in hash order, and so are the passes.
    assert!(check(false, |cx| keys(cx, &left).intersection(keys(cx, &right)).collect()) == common);
    let mut rest: Vec<u64> = left.iter().map(|row| row.0).filter(|key| !rights.contains(key)).collect();
    rest.sort_unstable();
    assert!(check(true, |cx| keys(cx, &left).subtract(keys(cx, &right)).collect()) == rest);
    let long: Vec<(u64, String)> = (0..60).map(|n| (n, "x".repeat(20_000))).collect();
    let product = check(true, |cx| {
        let few = cx.parallelize_in(2, 0..5u64);
        few.cartesian(cx.parallelize_in(3, long.clone()).repartition(3).repartition(60))
            .map(|(n, (m, _)): (u64, (u64, &str))| (n, m))
            .collect()
    });
    let expected: Vec<(u64, u64)> = (0..5).flat_map(|n| (0..60).map(move |m| (n, m))).collect();
    assert!(product == expected);
}
