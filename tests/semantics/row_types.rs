//! Row types other than numbers and text, as keys and as values: through columns, exchanges and
//! processes.

use std::collections::{BTreeMap, HashMap};

use kiln::chrono::{DateTime, NaiveDate, Utc};
use kiln::row::{ListView, MapView};
use kiln::{Bytes, Decimal, Opaque, Row};
use serde::{Deserialize, Serialize};

use crate::random::Random;
use crate::support::{check, check_ordered, for_each_seed};

#[derive(Row, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Info,
    Warn,
    Error,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Point,
    Group(Vec<Shape>),
}

/// One value of each type that can be a key.
#[derive(Row, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[row(key)]
struct Place {
    level: Level,
    day: NaiveDate,
    at: DateTime<Utc>,
    price: Decimal<12, 2>,
    tags: Vec<Option<String>>,
    blob: Bytes,
}

/// One value of each type that cannot be a key.
#[derive(Row, Clone, Debug, PartialEq)]
struct Parcel {
    level: Option<Level>,
    tree: BTreeMap<String, Vec<u8>>,
    table: HashMap<u32, Option<f64>>,
    shape: Opaque<Shape>,
    inner: Vec<(Level, Option<Opaque<Shape>>)>,
}

fn level(r: &mut Random) -> Level {
    *r.pick(&[Level::Info, Level::Warn, Level::Error])
}

fn shape(r: &mut Random) -> Shape {
    let points = r.below(3) as usize;
    if points == 0 { Shape::Point } else { Shape::Group(vec![Shape::Point; points]) }
}

/// A small set of values, so that keys repeat.
fn place(r: &mut Random) -> Place {
    Place {
        level: level(r),
        day: *r.pick(&[NaiveDate::MIN, NaiveDate::MAX]),
        at: DateTime::from_timestamp_micros(r.around_zero(1)).unwrap(),
        price: Decimal::from_units(i128::from(r.around_zero(1))).unwrap(),
        tags: r
            .pick(&[vec![], vec![None], vec![Some("a tag that is longer than a slot".to_owned())]])
            .clone(),
        blob: Bytes::from(*r.pick(&[&b""[..], &[0xff; 20]])),
    }
}

fn parcel(r: &mut Random) -> Parcel {
    let (entries, items) = (r.below(3) as usize, r.below(3) as usize);
    Parcel {
        level: (r.below(2) == 0).then(|| level(r)),
        tree: r.rows(entries, |r| (r.string(), vec![r.next() as u8; entries])).into_iter().collect(),
        // One entry, because rows are compared by their `Debug` text.
        table: HashMap::from([(r.below(4) as u32, (r.below(2) == 0).then_some(-0.0))]),
        shape: Opaque(shape(r)),
        inner: r.rows(items, |r| (level(r), (r.below(2) == 0).then(|| Opaque(shape(r))))),
    }
}

#[test]
fn keys_of_every_type_meet_their_equals() {
    for_each_seed(|seed| {
        let rows = Random::new(seed).rows(300, |r| (place(r), 1_u64));
        let mut model = BTreeMap::new();
        rows.iter().for_each(|(place, n)| *model.entry(place.clone()).or_default() += n);
        let model: Vec<(Place, u64)> = model.into_iter().collect();
        check_ordered(&model, |on| on.rows(&rows).reduce_by_key(|a, b| a + b).sort_by_key().collect());
    });
}

#[test]
fn values_of_every_type_cross_an_exchange_unchanged() {
    for_each_seed(|seed| {
        let rows = Random::new(seed).rows(200, |r| (r.below(20), parcel(r)));
        let mut model = rows.clone();
        model.sort_by_key(|(key, _)| *key);
        check_ordered(&model, |on| on.rows(&rows).sort_by_key().collect());
    });
}

#[test]
fn views_of_lists_and_maps_read_alike_before_and_behind_an_exchange() {
    for_each_seed(|seed| {
        let rows = Random::new(seed).rows(100, |r| (r.below(9), parcel(r)));
        let sum = |p: &Parcel| -> u64 {
            let bytes: u64 = p.tree.values().flatten().map(|n| u64::from(*n)).sum();
            bytes + p.table.values().flatten().count() as u64 * 1000 + p.inner.len() as u64 * 10_000
        };
        let model: Vec<(u64, u64)> = rows.iter().map(|(key, p)| (*key, sum(p))).collect();
        check(&model, |on| on.rows(&rows).map_values(sum_of_view).collect());
        check(&model, |on| on.rows(&rows).sort_by_key().map_values(sum_of_view).collect());
    });
}

fn sum_of_view(p: ParcelView<'_>) -> u64 {
    let tree: MapView<'_, BTreeMap<String, Vec<u8>>> = p.tree;
    let bytes: u64 =
        tree.iter().map(|(_, list): (&str, ListView<'_, u8>)| list.iter().map(u64::from).sum::<u64>()).sum();
    let filled = (0..4).filter(|key| matches!(p.table.get(*key), Some(Some(_)))).count() as u64;
    bytes + filled * 1000 + p.inner.len() as u64 * 10_000
}
