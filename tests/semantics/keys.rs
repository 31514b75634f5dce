//! Every key type in every operator that compares keys, compared with a linear search of a list.

use std::cmp::Ordering;
use std::fmt::Debug;

use kiln::Row;
use kiln::row::Key;

use crate::random::Random;
use crate::support::{check, check_ordered, for_one_seed, local};

/// A user-defined key with a string and an option.
#[derive(Row, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[row(key)]
struct Address {
    street: String,
    door: Option<u16>,
    entrance: Entrance,
}

#[derive(Row, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[row(key)]
struct Entrance(bool, i8);

#[test]
fn strings_of_all_lengths_with_shared_prefixes_are_keys() {
    every_keyed_operator(Random::string, Ord::cmp);
}

#[test]
fn long_strings_that_differ_in_one_byte_are_keys() {
    every_keyed_operator(
        |r| {
            let mut text = vec![b'x'; r.below(41) as usize];
            let at = r.below(41) as usize;
            text.get_mut(at).into_iter().for_each(|byte| *byte = b'y');
            String::from_utf8(text).unwrap()
        },
        Ord::cmp,
    );
}

#[test]
fn options_are_keys_and_none_sorts_first() {
    every_keyed_operator(|r| (r.below(3) > 0).then(|| r.around_zero(20)), Ord::cmp);
    every_keyed_operator(|r| (r.below(3) > 0).then(|| r.string()), Ord::cmp);
}

#[test]
fn signed_and_unsigned_numbers_of_every_width_are_keys() {
    every_keyed_operator(|r| r.next() as u8, Ord::cmp);
    every_keyed_operator(|r| r.around_zero(100) as i8, Ord::cmp);
    every_keyed_operator(|r| r.next() as u16 % 99, Ord::cmp);
    every_keyed_operator(|r| r.around_zero(30_000) as i16, Ord::cmp);
    every_keyed_operator(|r| *r.pick(&[u32::MAX, 0, 1, 1 << 31]), Ord::cmp);
    every_keyed_operator(|r| *r.pick(&[i32::MIN, -1, 0, i32::MAX]), Ord::cmp);
    every_keyed_operator(|r| *r.pick(&[i64::MIN, -1, 0, i64::MAX]), Ord::cmp);
    every_keyed_operator(|r| *r.pick(&[u64::MAX, 0, 1 << 63]), Ord::cmp);
    every_keyed_operator(|r| r.below(50) as usize, Ord::cmp);
}

#[test]
fn bools_are_keys() {
    every_keyed_operator(|r| r.below(2) == 0, Ord::cmp);
}

/// As in Spark: `-0.0` equals `0.0`, and all NaNs are equal and sort last.
#[test]
fn floats_are_keys_with_one_zero_and_one_nan() {
    let special =
        [0.0, -0.0, f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1.5, -1.5, f64::MIN_POSITIVE];
    fn order(a: &f64, b: &f64) -> Ordering {
        a.partial_cmp(b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
    }
    every_keyed_operator(move |r| *r.pick(&special), order);
    every_keyed_operator(move |r| *r.pick(&special) as f32, |a, b| order(&(*a).into(), &(*b).into()));
    every_keyed_operator(
        move |r| (*r.pick(&special), r.below(2) == 0),
        |a, b| order(&a.0, &b.0).then(a.1.cmp(&b.1)),
    );
}

#[test]
fn tuples_are_keys_in_the_order_of_their_parts() {
    every_keyed_operator(|r| (r.string(), r.around_zero(3)), Ord::cmp);
    every_keyed_operator(|r| (r.below(3), r.string(), r.below(2) == 0), Ord::cmp);
    every_keyed_operator(
        |r| ((r.below(3) as u8, r.below(3) as i16), (r.below(2) == 0).then(|| r.string())),
        Ord::cmp,
    );
}

#[test]
fn derived_structs_are_keys_in_the_order_of_their_fields() {
    every_keyed_operator(address, Ord::cmp);
    every_keyed_operator(|r| (r.below(2) == 0).then(|| address(r)), Ord::cmp);
}

fn address(r: &mut Random) -> Address {
    let door = (r.below(2) == 0).then(|| r.below(3) as u16);
    Address { street: r.string(), door, entrance: Entrance(r.below(2) == 0, r.around_zero(1) as i8) }
}

/// Runs the operators that compare keys, with keys made by `key`.
fn every_keyed_operator<K: Key + Clone + Debug>(
    key: impl Fn(&mut Random) -> K,
    order: fn(&K, &K) -> Ordering,
) {
    for_one_seed(|seed| {
        let pairs = Random::new(seed).rows(150, |r| (key(r), r.below(1000)));
        let mut sorted = pairs.clone();
        sorted.sort_by(|a, b| order(&a.0, &b.0));
        let groups: Vec<&[(K, u64)]> = sorted.chunk_by(|a, b| order(&a.0, &b.0).is_eq()).collect();

        let sums: Vec<u64> = groups.iter().map(|group| group.iter().map(|pair| pair.1).sum()).collect();
        check(&sums, |s| s.rows(&pairs).reduce_by_key(|a, b| a + b).map_to::<u64>(|(_, sum)| sum).collect());
        check_ordered(&sorted, |s| s.rows(&pairs).sort_by_key().collect());
        check(&squares(&groups), |s| {
            let rows = s.rows(&pairs);
            rows.clone().join(rows).map_to::<(u64, u64)>(|(_, values)| values).collect()
        });
        let keys: Vec<K> = pairs.iter().map(|(key, _)| key.clone()).collect();
        whole_rows_as_keys(&keys, order, &groups.iter().map(|group| group.len() as u64).collect::<Vec<_>>());
    });
}

/// `distinct` and `count_by_value`: the output rows are input rows, all different, and occur as often
/// as in `counts`.
fn whole_rows_as_keys<K: Key + Clone + Debug>(keys: &[K], order: fn(&K, &K) -> Ordering, counts: &[u64]) {
    let rows = local().parallelize_in(3, keys.to_vec());
    let mut counted = rows.clone().count_by_value().collect().unwrap();
    counted.sort_by(|a, b| order(&a.0, &b.0));
    assert_eq!(counted.iter().map(|(_, n)| *n).collect::<Vec<_>>(), counts);
    let mut found = rows.distinct().collect().unwrap();
    found.sort_by(order);
    assert_eq!(found.len(), counts.len());
    for (a, (b, _)) in found.iter().zip(&counted) {
        assert!(order(a, b).is_eq() && keys.iter().any(|key| K::same(key.view(), a.view())), "{a:?} {b:?}");
    }
}

/// The result of a join of the pairs with themselves, without the keys.
fn squares<K>(groups: &[&[(K, u64)]]) -> Vec<(u64, u64)> {
    let square = |group: &&[(K, u64)]| {
        let values: Vec<u64> = group.iter().map(|pair| pair.1).collect();
        values.iter().flat_map(|a| values.iter().map(|b| (*a, *b))).collect::<Vec<_>>()
    };
    groups.iter().flat_map(square).collect()
}
