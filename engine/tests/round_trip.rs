//! Every row type, from Rust to Arrow and back, and what holds for all keys: tested from random rows.
//!
//! Floats are compared bit by bit, so that a NaN and a -0.0 count as they are. Columns go back and
//! forth as they are and through Arrow's IPC stream, as rows between processes do.

#![allow(clippy::unwrap_used, reason = "a test fails by it, also in its support functions")]

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;

use kiln::chrono::{DateTime, Days, NaiveDate, NaiveDateTime, TimeDelta, Utc};
use kiln::row::{Key, RowReader, ipc};
use kiln::{Bytes, Decimal, Opaque, Row};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Row, Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Level {
    Info,
    Warn,
    Error,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Point,
    Circle(u32),
    Group(Vec<Shape>),
}

type Money = Decimal<38, 9>;

/// All that can be a key.
#[derive(Row, Clone, Debug, PartialEq)]
#[row(key)]
struct Keys {
    numbers: (u8, i16, u32, i64, usize),
    flag: bool,
    text: String,
    bytes: Bytes,
    date: NaiveDate,
    clock: NaiveDateTime,
    instant: DateTime<Utc>,
    money: Money,
    level: Level,
    list: Vec<Option<String>>,
    boxed: Box<Option<i8>>,
    descending: (Reverse<i16>, Reverse<Option<String>>),
}

/// All that can be a row, in each other.
#[derive(Row, Clone, Debug, PartialEq)]
struct Everything {
    keys: Keys,
    absent: Option<Keys>,
    floats: (Bits32, Bits64),
    lists: Vec<Vec<Keys>>,
    maybe: Option<Vec<Option<Bits64>>>,
    tree: BTreeMap<String, Vec<Level>>,
    table: HashMap<(u8, NaiveDate), Option<Bytes>>,
    maps: Option<BTreeMap<i32, Option<BTreeMap<Bytes, Money>>>>,
    shape: Opaque<Shape>,
    shapes: Option<(Opaque<Shape>, Level)>,
}

#[derive(Row, Clone, Copy, Debug)]
struct Bits32(f32);

#[derive(Row, Clone, Copy, Debug)]
struct Bits64(f64);

impl PartialEq for Bits32 {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

impl PartialEq for Bits64 {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn rows_come_back_from_columns_as_they_went_in(rows in prop::collection::vec(everything(), 0..6)) {
        let batch = ipc::batch_of(rows.iter()).unwrap();
        prop_assert_eq!(&ipc::rows_of::<Everything>(std::slice::from_ref(&batch)).unwrap(), &rows);
        let sent = ipc::from_bytes(&ipc::to_bytes(&batch).unwrap()).unwrap();
        prop_assert_eq!(&ipc::rows_of::<Everything>(&sent).unwrap(), &rows);
    }

    #[test]
    fn rows_come_back_from_any_part_of_a_batch(
        rows in prop::collection::vec(everything(), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let cut = cut.index(rows.len());
        let part = ipc::batch_of(rows.iter()).unwrap().slice(cut, rows.len() - cut);
        prop_assert_eq!(&ipc::rows_of::<Everything>(std::slice::from_ref(&part)).unwrap(), &rows[cut..]);
        let sent = ipc::from_bytes(&ipc::to_bytes(&part).unwrap()).unwrap();
        prop_assert_eq!(&ipc::rows_of::<Everything>(&sent).unwrap(), &rows[cut..]);
    }

    #[test]
    fn a_view_of_a_column_is_pushed_like_the_row_itself(rows in prop::collection::vec(everything(), 0..6)) {
        let batch = ipc::batch_of(rows.iter()).unwrap();
        let reader = RowReader::<Everything>::open(&batch).unwrap();
        let mut builder = <Everything as Row>::Builder::default();
        reader.iter().for_each(|view| kiln::row::ColumnBuilder::push(&mut builder, view));
        prop_assert_eq!(kiln::row::to_batch::<Everything>(&mut builder).unwrap(), batch);
    }

    #[test]
    fn keys_keep_the_laws_of_keys(keys in prop::collection::vec(keys(), 3)) {
        check_laws(&keys)?;
    }

    #[test]
    fn float_keys_keep_the_laws_of_keys(keys in prop::collection::vec((float(), any::<f32>()), 3)) {
        check_laws(&keys)?;
    }

    #[test]
    fn reversed_keys_keep_the_laws_of_keys_in_the_other_order(keys in prop::collection::vec((float(), text()), 3)) {
        let numbers: Vec<_> = keys.iter().map(|key| Reverse(key.0)).collect();
        check_laws(&numbers)?;
        let texts: Vec<_> = keys.iter().map(|key| (Reverse(key.1.clone()), key.1.clone())).collect();
        check_laws(&texts)?;
        let (a, b) = (&texts[0].0, &texts[1].0);
        prop_assert_eq!(<Reverse<String>>::compare(a.view(), b.view()), a.cmp(b));
    }

    #[test]
    fn keys_are_ordered_like_their_types(a in keys(), b in keys()) {
        let (texts, lists) = ((&a.text[..], &b.text[..]), (&a.list, &b.list));
        prop_assert_eq!(String::compare(texts.0, texts.1), texts.0.cmp(texts.1));
        prop_assert_eq!(Vec::compare(lists.0.view(), lists.1.view()), lists.0.cmp(lists.1));
        prop_assert_eq!(Bytes::compare(&a.bytes, &b.bytes), a.bytes.cmp(&b.bytes));
        prop_assert_eq!(NaiveDate::compare(a.date, b.date), a.date.cmp(&b.date));
        prop_assert_eq!(<DateTime<Utc>>::compare(a.instant, b.instant), a.instant.cmp(&b.instant));
        prop_assert_eq!(Money::compare(a.money, b.money), a.money.cmp(&b.money));
        prop_assert_eq!(Level::compare(a.level, b.level), a.level.cmp(&b.level));
    }

    #[test]
    fn a_decimal_is_parsed_as_it_is_printed(decimal in money()) {
        prop_assert_eq!(decimal.to_string().parse::<Money>().unwrap(), decimal);
    }
}

/// Hash, sameness and order agree; a kept key is the key.
fn check_laws<K: Key + Clone + Debug>(keys: &[K]) -> Result<(), TestCaseError> {
    let mut arena = K::Arena::default();
    // Each key twice: two random ones are hardly ever equal.
    let keys = [keys, keys].concat();
    let slots: Vec<K::Slot> = keys.iter().map(|key| K::store(key.view(), &mut arena)).collect();
    for (a, slot) in keys.iter().zip(&slots) {
        let mut other = K::Arena::default();
        let moved = K::store_slot((slot, &arena), &mut other);
        prop_assert!(K::slots_match((slot, &arena), (&moved, &other)));
        for b in &keys {
            let order = K::compare(a.view(), b.view());
            let same = K::same(a.view(), b.view());
            prop_assert_eq!(same, order == Ordering::Equal);
            prop_assert_eq!(order, K::compare(b.view(), a.view()).reverse());
            prop_assert!(!same || K::hash(a.view()) == K::hash(b.view()));
            let prefixes = K::prefix(a.view()).cmp(&K::prefix(b.view()));
            prop_assert!(prefixes == order || prefixes == Ordering::Equal && !K::PREFIX_IS_KEY);
            prop_assert_eq!(K::matches(slot, &arena, b.view()), same);
            prop_assert_eq!(K::compare(K::load(slot, &arena), K::narrow(b.view())), order);
            for c in &keys {
                let (onward, whole) = (K::compare(b.view(), c.view()), K::compare(a.view(), c.view()));
                prop_assert!(
                    order == Ordering::Greater || onward == Ordering::Greater || whole != Ordering::Greater
                );
            }
        }
    }
    Ok(())
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "[a-c]{0,3}", "[a-zé→]{12,20}", any::<String>()]
}

fn bytes() -> impl Strategy<Value = Bytes> {
    prop_oneof![Just(Vec::new()), prop::collection::vec(any::<u8>(), 0..20)].prop_map(Bytes::from)
}

fn float() -> impl Strategy<Value = f64> {
    let special = [0.0, -0.0, f64::NAN, -f64::NAN, f64::INFINITY, f64::MIN_POSITIVE / 2.0, f64::MAX];
    prop_oneof![prop::sample::select(special.to_vec()), any::<u64>().prop_map(f64::from_bits)]
}

fn date() -> impl Strategy<Value = NaiveDate> {
    let from = |days| NaiveDate::MIN + Days::new(days);
    let ends = [NaiveDate::MIN, NaiveDate::MAX, NaiveDate::default()];
    prop_oneof![prop::sample::select(ends.to_vec()), (0..190_000_000_u64).prop_map(from)]
}

/// Whole microseconds: what a column holds.
fn instant() -> impl Strategy<Value = DateTime<Utc>> {
    let last = DateTime::from_timestamp_micros(DateTime::<Utc>::MAX_UTC.timestamp_micros()).unwrap();
    let ends = [DateTime::<Utc>::MIN_UTC, last, DateTime::UNIX_EPOCH - TimeDelta::microseconds(1)];
    let any = (i64::MIN..i64::MAX).prop_filter_map("no date", DateTime::from_timestamp_micros);
    prop_oneof![prop::sample::select(ends.to_vec()), any]
}

fn money() -> impl Strategy<Value = Money> {
    let most = 10_i128.pow(38) - 1;
    prop_oneof![Just(0), Just(most), Just(-most), -10..10_i128, -most..=most]
        .prop_map(|units| Money::from_units(units).unwrap())
}

fn level() -> impl Strategy<Value = Level> {
    prop::sample::select(vec![Level::Info, Level::Warn, Level::Error])
}

fn shape() -> impl Strategy<Value = Opaque<Shape>> {
    let leaf = prop_oneof![Just(Shape::Point), any::<u32>().prop_map(Shape::Circle)];
    leaf.prop_recursive(2, 6, 3, |inner| prop::collection::vec(inner, 0..3).prop_map(Shape::Group))
        .prop_map(Opaque)
}

fn keys() -> impl Strategy<Value = Keys> {
    let times = (date(), instant(), instant());
    let small = (any::<bool>(), money(), level(), any::<Option<i8>>());
    let list = prop::collection::vec(prop::option::of(text()), 0..3);
    let down = (any::<i16>(), prop::option::of(text()));
    (any::<(u8, i16, u32, i64, usize)>(), text(), bytes(), times, small, list, down).prop_map(
        |(numbers, text, bytes, (date, clock, instant), (flag, money, level, boxed), list, down)| Keys {
            numbers,
            flag,
            text,
            bytes,
            date,
            clock: clock.naive_utc(),
            instant,
            money,
            level,
            list,
            boxed: Box::new(boxed),
            descending: (Reverse(down.0), Reverse(down.1)),
        },
    )
}

fn everything() -> impl Strategy<Value = Everything> {
    let floats = (any::<u32>().prop_map(|bits| Bits32(f32::from_bits(bits))), float().prop_map(Bits64));
    let lists = prop::collection::vec(prop::collection::vec(keys(), 0..3), 0..3);
    let maybe = prop::option::of(prop::collection::vec(prop::option::of(float().prop_map(Bits64)), 0..3));
    let tree = prop::collection::btree_map(text(), prop::collection::vec(level(), 0..3), 0..3);
    let table = prop::collection::hash_map((any::<u8>(), date()), prop::option::of(bytes()), 0..3);
    let inner = prop::option::of(prop::collection::btree_map(bytes(), money(), 0..3));
    let maps = prop::option::of(prop::collection::btree_map(any::<i32>(), inner, 0..3));
    let shapes = (shape(), prop::option::of((shape(), level())));
    (keys(), prop::option::of(keys()), floats, lists, maybe, (tree, table, maps), shapes).prop_map(
        |(keys, absent, floats, lists, maybe, (tree, table, maps), (shape, shapes))| Everything {
            keys,
            absent,
            floats,
            lists,
            maybe,
            tree,
            table,
            maps,
            shape,
            shapes,
        },
    )
}
