//! Row types that contain every kind of row, also nested, and random rows of them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use kiln::chrono::{DateTime, Days, NaiveDate, NaiveDateTime, TimeDelta, Utc};
use kiln::{Bytes, Decimal, Opaque, Row};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Row, Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Level {
    Info,
    Warn,
    Error,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Shape {
    Point,
    Circle(u32),
    Group(Vec<Shape>),
}

pub(crate) type Money = Decimal<38, 9>;

/// Every type that can be a key.
#[derive(Row, Clone, Debug, PartialEq)]
#[row(key)]
pub(crate) struct Keys {
    pub(crate) numbers: (u8, i16, u32, i64, usize),
    pub(crate) flag: bool,
    pub(crate) text: String,
    pub(crate) bytes: Bytes,
    pub(crate) date: NaiveDate,
    pub(crate) clock: NaiveDateTime,
    pub(crate) instant: DateTime<Utc>,
    pub(crate) money: Money,
    pub(crate) level: Level,
    pub(crate) list: Vec<Option<String>>,
    pub(crate) boxed: Box<Option<i8>>,
    pub(crate) descending: (Reverse<i16>, Reverse<Option<String>>),
}

/// Every type that can be a row, also nested.
#[derive(Row, Clone, Debug, PartialEq)]
pub(crate) struct Everything {
    pub(crate) keys: Keys,
    pub(crate) absent: Option<Keys>,
    pub(crate) floats: (Bits32, Bits64),
    pub(crate) lists: Vec<Vec<Keys>>,
    pub(crate) maybe: Option<Vec<Option<Bits64>>>,
    pub(crate) tree: BTreeMap<String, Vec<Level>>,
    pub(crate) table: HashMap<(u8, NaiveDate), Option<Bytes>>,
    pub(crate) maps: Option<BTreeMap<i32, Option<BTreeMap<Bytes, Money>>>>,
    pub(crate) shape: Opaque<Shape>,
    pub(crate) shapes: Option<(Opaque<Shape>, Level)>,
}

#[derive(Row, Clone, Copy, Debug)]
pub(crate) struct Bits32(pub(crate) f32);

#[derive(Row, Clone, Copy, Debug)]
pub(crate) struct Bits64(pub(crate) f64);

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

pub(crate) fn text() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "[a-c]{0,3}", "[a-zé→]{12,20}", any::<String>()]
}

pub(crate) fn bytes() -> impl Strategy<Value = Bytes> {
    prop_oneof![Just(Vec::new()), prop::collection::vec(any::<u8>(), 0..20)].prop_map(Bytes::from)
}

pub(crate) fn float() -> impl Strategy<Value = f64> {
    let special = [0.0, -0.0, f64::NAN, -f64::NAN, f64::INFINITY, f64::MIN_POSITIVE / 2.0, f64::MAX];
    prop_oneof![prop::sample::select(special.to_vec()), any::<u64>().prop_map(f64::from_bits)]
}

pub(crate) fn date() -> impl Strategy<Value = NaiveDate> {
    let from = |days| NaiveDate::MIN + Days::new(days);
    let ends = [NaiveDate::MIN, NaiveDate::MAX, NaiveDate::default()];
    prop_oneof![prop::sample::select(ends.to_vec()), (0..190_000_000_u64).prop_map(from)]
}

/// Whole microseconds, as a column stores them.
pub(crate) fn instant() -> impl Strategy<Value = DateTime<Utc>> {
    let last = DateTime::from_timestamp_micros(DateTime::<Utc>::MAX_UTC.timestamp_micros()).unwrap();
    let ends = [DateTime::<Utc>::MIN_UTC, last, DateTime::UNIX_EPOCH - TimeDelta::microseconds(1)];
    let any = (i64::MIN..i64::MAX).prop_filter_map("no date", DateTime::from_timestamp_micros);
    prop_oneof![prop::sample::select(ends.to_vec()), any]
}

pub(crate) fn money() -> impl Strategy<Value = Money> {
    let most = 10_i128.pow(38) - 1;
    prop_oneof![Just(0), Just(most), Just(-most), -10..10_i128, -most..=most]
        .prop_map(|units| Money::from_units(units).unwrap())
}

pub(crate) fn level() -> impl Strategy<Value = Level> {
    prop::sample::select(vec![Level::Info, Level::Warn, Level::Error])
}

pub(crate) fn shape() -> impl Strategy<Value = Opaque<Shape>> {
    let leaf = prop_oneof![Just(Shape::Point), any::<u32>().prop_map(Shape::Circle)];
    leaf.prop_recursive(2, 6, 3, |inner| prop::collection::vec(inner, 0..3).prop_map(Shape::Group))
        .prop_map(Opaque)
}

pub(crate) fn keys() -> impl Strategy<Value = Keys> {
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

pub(crate) fn everything() -> impl Strategy<Value = Everything> {
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
