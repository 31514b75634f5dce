//! A model of filters in plain Rust, one row at a time, with random rows and conditions.

use std::cmp::Ordering;

use kiln::chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use kiln::expr::{Expr, col, lit};
use kiln::{Bytes, Decimal, Row};
use proptest::prelude::*;
use proptest::sample::select;

pub(crate) type Money = Decimal<12, 2>;
/// Takes 16 bytes in a file.
pub(crate) type Wide = Decimal<30, 4>;

/// A row with a column of each comparable type.
#[derive(Row, Clone, Debug, Default)]
pub(crate) struct Values {
    pub(crate) double: Option<f64>,
    pub(crate) single: Option<f32>,
    pub(crate) long: Option<i64>,
    pub(crate) byte: Option<u8>,
    pub(crate) unsigned: Option<u64>,
    pub(crate) text: Option<String>,
    pub(crate) bytes: Option<Bytes>,
    pub(crate) money: Option<Money>,
    pub(crate) wide: Option<Wide>,
    pub(crate) day: Option<NaiveDate>,
    pub(crate) clock: Option<NaiveDateTime>,
    pub(crate) instant: Option<DateTime<Utc>>,
    pub(crate) flag: Option<bool>,
}

/// A value of one of the columns; the variant names the column.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Double(f64),
    Single(f32),
    Long(i64),
    Byte(u8),
    Unsigned(u64),
    Text(String),
    Bytes(Vec<u8>),
    Money(Money),
    Wide(Wide),
    Day(NaiveDate),
    Clock(NaiveDateTime),
    Instant(DateTime<Utc>),
    Flag(bool),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Comparison {
    Eq,
    NotEq,
    Lt,
    LtEq,
    Gt,
    GtEq,
}

#[derive(Clone, Debug)]
pub(crate) enum Condition {
    Compare(Value, Comparison),
    /// A comparison with the literal on the left.
    Swapped(Value, Comparison),
    IsNull(Value),
    In(Value, Vec<Value>, bool),
    Between(Value, Value, bool),
    /// A comparison of the column `double` with the column `single`.
    Columns(Comparison),
    /// A pattern for the column `text`, and whether it ignores case.
    Like(String, bool),
    /// Whether the condition is neither true nor false.
    IsUnknown(Box<Condition>),
    Not(Box<Condition>),
    And(Box<Condition>, Box<Condition>),
    Or(Box<Condition>, Box<Condition>),
}

impl Value {
    fn column(&self) -> Expr {
        col(match self {
            Value::Double(_) => "double",
            Value::Single(_) => "single",
            Value::Long(_) => "long",
            Value::Byte(_) => "byte",
            Value::Unsigned(_) => "unsigned",
            Value::Text(_) => "text",
            Value::Bytes(_) => "bytes",
            Value::Money(_) => "money",
            Value::Wide(_) => "wide",
            Value::Day(_) => "day",
            Value::Clock(_) => "clock",
            Value::Instant(_) => "instant",
            Value::Flag(_) => "flag",
        })
    }

    fn literal(&self) -> Expr {
        match self.clone() {
            Value::Double(value) => lit(value),
            Value::Single(value) => lit(value),
            Value::Long(value) => lit(value),
            Value::Byte(value) => lit(value),
            Value::Unsigned(value) => lit(value),
            Value::Text(value) => lit(value),
            Value::Bytes(value) => lit(value),
            Value::Money(value) => lit(value),
            Value::Wide(value) => lit(value),
            Value::Day(value) => lit(value),
            Value::Clock(value) => lit(value),
            Value::Instant(value) => lit(value),
            Value::Flag(value) => lit(value),
        }
    }

    /// Compares the row's value of the column with this one, like Rust's operators; the outer `None` is
    /// a null.
    fn order(&self, row: &Values) -> Option<Option<Ordering>> {
        fn of<T: PartialOrd>(column: Option<T>, value: &T) -> Option<Option<Ordering>> {
            column.map(|of_row| of_row.partial_cmp(value))
        }
        match self {
            Value::Double(value) => of(row.double, value),
            Value::Single(value) => of(row.single, value),
            Value::Long(value) => of(row.long, value),
            Value::Byte(value) => of(row.byte, value),
            Value::Unsigned(value) => of(row.unsigned, value),
            Value::Text(value) => of(row.text.as_ref(), &value),
            Value::Bytes(value) => of(row.bytes.as_deref(), &&value[..]),
            Value::Money(value) => of(row.money, value),
            Value::Wide(value) => of(row.wide, value),
            Value::Day(value) => of(row.day, value),
            Value::Clock(value) => of(row.clock, value),
            Value::Instant(value) => of(row.instant, value),
            Value::Flag(value) => of(row.flag, value),
        }
    }
}

impl Comparison {
    fn expr(self, left: Expr, right: Expr) -> Expr {
        match self {
            Comparison::Eq => left.eq(right),
            Comparison::NotEq => left.not_eq(right),
            Comparison::Lt => left.lt(right),
            Comparison::LtEq => left.lt_eq(right),
            Comparison::Gt => left.gt(right),
            Comparison::GtEq => left.gt_eq(right),
        }
    }

    fn holds(self, order: Option<Ordering>) -> bool {
        match self {
            Comparison::Eq => order == Some(Ordering::Equal),
            Comparison::NotEq => order != Some(Ordering::Equal),
            Comparison::Lt => order == Some(Ordering::Less),
            Comparison::LtEq => order.is_some_and(Ordering::is_le),
            Comparison::Gt => order == Some(Ordering::Greater),
            Comparison::GtEq => order.is_some_and(Ordering::is_ge),
        }
    }
}

impl Condition {
    pub(crate) fn expr(&self) -> Expr {
        match self {
            Condition::Compare(value, op) => op.expr(value.column(), value.literal()),
            Condition::Swapped(value, op) => op.expr(value.literal(), value.column()),
            Condition::IsNull(value) => value.column().is_null(),
            Condition::In(first, more, negated) => {
                let list = std::iter::once(first).chain(more).map(Value::literal).collect();
                first.column().in_list(list, *negated)
            }
            Condition::Between(low, high, false) => low.column().between(low.literal(), high.literal()),
            Condition::Between(low, high, true) => low.column().not_between(low.literal(), high.literal()),
            Condition::Columns(op) => op.expr(col("double"), col("single")),
            Condition::Like(pattern, true) => col("text").ilike(lit(pattern.as_str())),
            Condition::Like(pattern, false) => col("text").like(lit(pattern.as_str())),
            Condition::IsUnknown(inner) => inner.expr().is_null(),
            Condition::Not(inner) => !inner.expr(),
            Condition::And(a, b) => a.expr().and(b.expr()),
            Condition::Or(a, b) => a.expr().or(b.expr()),
        }
    }

    /// True, false or unknown.
    pub(crate) fn of(&self, row: &Values) -> Option<bool> {
        let compared = |value: &Value, op: Comparison| value.order(row).map(|order| op.holds(order));
        match self {
            Condition::Compare(value, op) => compared(value, *op),
            Condition::Swapped(value, op) => {
                value.order(row).map(|order| op.holds(order.map(Ordering::reverse)))
            }
            Condition::IsNull(value) => Some(value.order(row).is_none()),
            Condition::In(first, more, negated) => {
                let equal = std::iter::once(first).chain(more).map(|value| compared(value, Comparison::Eq));
                equal.fold(Some(false), or).map(|found| found != *negated)
            }
            Condition::Between(low, high, negated) => {
                let within = and(compared(low, Comparison::GtEq), compared(high, Comparison::LtEq));
                within.map(|within| within != *negated)
            }
            Condition::Columns(op) => {
                let both = row.double.zip(row.single);
                both.map(|(double, single)| op.holds(double.partial_cmp(&f64::from(single))))
            }
            Condition::Like(pattern, any_case) => row.text.as_ref().map(|text| match any_case {
                true => matches(&text.to_lowercase(), &pattern.to_lowercase()),
                false => matches(text, pattern),
            }),
            Condition::IsUnknown(inner) => Some(inner.of(row).is_none()),
            Condition::Not(inner) => inner.of(row).map(|value| !value),
            Condition::And(a, b) => and(a.of(row), b.of(row)),
            Condition::Or(a, b) => or(a.of(row), b.of(row)),
        }
    }
}

fn and(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    match (a, b) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

fn or(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    and(a.map(|a| !a), b.map(|b| !b)).map(|neither| !neither)
}

/// Whether the whole text matches the pattern of a `LIKE`.
fn matches(text: &str, pattern: &str) -> bool {
    let mut rest = pattern.chars();
    match rest.next() {
        None => text.is_empty(),
        Some('%') => {
            let mut ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
            ends.any(|at| matches(&text[at..], rest.as_str()))
        }
        Some('_') => text.chars().next().is_some_and(|any| matches(&text[any.len_utf8()..], rest.as_str())),
        Some(char) => {
            let char = if char == '\\' { rest.next().unwrap_or(char) } else { char };
            text.strip_prefix(char).is_some_and(|text| matches(text, rest.as_str()))
        }
    }
}

pub(crate) fn condition() -> impl Strategy<Value = Condition> {
    let leaf = column_values().prop_flat_map(|values| {
        let value = || values.clone();
        prop_oneof![
            4 => (value(), comparison()).prop_map(|(value, op)| Condition::Compare(value, op)),
            1 => (value(), comparison()).prop_map(|(value, op)| Condition::Swapped(value, op)),
            1 => value().prop_map(Condition::IsNull),
            1 => (value(), prop::collection::vec(value(), 0..3), any::<bool>())
                .prop_map(|(first, more, negated)| Condition::In(first, more, negated)),
            1 => (value(), value(), any::<bool>())
                .prop_map(|(low, high, negated)| Condition::Between(low, high, negated)),
            1 => comparison().prop_map(Condition::Columns),
            1 => (pattern(), any::<bool>()).prop_map(|(pattern, any_case)| Condition::Like(pattern, any_case)),
        ]
    });
    leaf.prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|inner| Condition::Not(Box::new(inner))),
            inner.clone().prop_map(|inner| Condition::IsUnknown(Box::new(inner))),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| Condition::And(Box::new(a), Box::new(b))),
            (inner.clone(), inner).prop_map(|(a, b)| Condition::Or(Box::new(a), Box::new(b))),
        ]
    })
}

/// Patterns that start like one of the texts, or like none.
fn pattern() -> impl Strategy<Value = String> {
    let part = ["%", "_", "a", "b", "A", "z", "\u{10ffff}", "\\%", "\\_"].map(str::to_owned);
    let long = ["z".repeat(100), "a".repeat(150), "a".repeat(200)];
    let part = select([&part[..], &long].concat());
    prop::collection::vec(part, 0..4).prop_map(|parts| parts.concat())
}

fn comparison() -> impl Strategy<Value = Comparison> {
    use Comparison::*;
    select(vec![Eq, NotEq, Lt, LtEq, Gt, GtEq])
}

/// The values of one column.
fn column_values() -> impl Strategy<Value = BoxedStrategy<Value>> {
    select(vec![
        // More often than others, because most errors are about floats.
        doubles().prop_map(Value::Double).boxed(),
        doubles().prop_map(Value::Double).boxed(),
        doubles().prop_map(Value::Double).boxed(),
        singles().prop_map(Value::Single).boxed(),
        longs().prop_map(Value::Long).boxed(),
        bytes_of_one().prop_map(Value::Byte).boxed(),
        unsigned().prop_map(Value::Unsigned).boxed(),
        texts().prop_map(Value::Text).boxed(),
        binaries().prop_map(Value::Bytes).boxed(),
        moneys().prop_map(Value::Money).boxed(),
        wides().prop_map(Value::Wide).boxed(),
        days().prop_map(Value::Day).boxed(),
        instants().prop_map(|at| Value::Clock(at.naive_utc())).boxed(),
        instants().prop_map(Value::Instant).boxed(),
        any::<bool>().prop_map(Value::Flag).boxed(),
    ])
}

pub(crate) fn rows() -> impl Strategy<Value = Vec<Values>> {
    prop::collection::vec(row(), 1..24)
}

fn row() -> impl Strategy<Value = Values> {
    fn maybe<T: std::fmt::Debug>(values: impl Strategy<Value = T>) -> impl Strategy<Value = Option<T>> {
        prop::option::weighted(0.8, values)
    }
    let numbers =
        (maybe(doubles()), maybe(singles()), maybe(longs()), maybe(bytes_of_one()), maybe(unsigned()));
    let texts = (maybe(texts()), maybe(binaries()), maybe(moneys()), maybe(wides()));
    let times = (maybe(days()), maybe(instants()), maybe(instants()), maybe(any::<bool>()));
    (numbers, texts, times).prop_map(
        |(
            (double, single, long, byte, unsigned),
            (text, bytes, money, wide),
            (day, clock, instant, flag),
        )| Values {
            double,
            single,
            long,
            byte,
            unsigned,
            text,
            bytes: bytes.map(Bytes::from),
            money,
            wide,
            day,
            clock: clock.map(|clock| clock.naive_utc()),
            instant,
            flag,
        },
    )
}

fn doubles() -> impl Strategy<Value = f64> {
    let few = [f64::NAN, -f64::NAN, -0.0, 0.0, 1.0, 2.0, -1.5, f64::MIN_POSITIVE, 5e-324];
    let extreme = [f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN];
    prop_oneof![6 => select(few.to_vec()), 1 => select(extreme.to_vec()), 1 => -3.0..3.0]
}

fn singles() -> impl Strategy<Value = f32> {
    select(vec![f32::NAN, -f32::NAN, -0.0, 0.0, 1.0, 0.1, -1.5, f32::INFINITY, f32::NEG_INFINITY, f32::MAX])
}

fn longs() -> impl Strategy<Value = i64> {
    select(vec![i64::MIN, i64::MIN + 1, -1, 0, 1, 2, 1 << 53, (1 << 53) + 1, i64::MAX])
}

fn bytes_of_one() -> impl Strategy<Value = u8> {
    select(vec![0, 1, 2, 127, 128, 255])
}

fn unsigned() -> impl Strategy<Value = u64> {
    select(vec![0, 1, 2, i64::MAX as u64, 1 << 63, u64::MAX])
}

fn texts() -> impl Strategy<Value = String> {
    let long = ["z".repeat(300), "\u{10ffff}".repeat(40), format!("{}b", "a".repeat(200)), "a".repeat(200)];
    let short = ["", "%", "a%", "a_b", "a", "ab", "aä", "b", "ä", "ß", "z", "\u{7f}", "\u{10ffff}"]
        .map(str::to_owned);
    select([&short[..], &long].concat())
}

fn binaries() -> impl Strategy<Value = Vec<u8>> {
    select(vec![
        vec![],
        vec![0],
        vec![1, 2],
        vec![1, 200],
        vec![127],
        vec![128],
        vec![255],
        vec![255; 200],
        vec![254; 90],
    ])
}

fn moneys() -> impl Strategy<Value = Money> {
    select(
        [-999_999_999_999, -1, 0, 1, 12_34, 999_999_999_999]
            .map(|units| Money::from_units(units).unwrap())
            .to_vec(),
    )
}

fn wides() -> impl Strategy<Value = Wide> {
    let most = 10_i128.pow(30) - 1;
    select([-most, -256, -1, 0, 1, 255, 256, most].map(|units| Wide::from_units(units).unwrap()).to_vec())
}

fn days() -> impl Strategy<Value = NaiveDate> {
    let day = |year, month, day| NaiveDate::from_ymd_opt(year, month, day).unwrap();
    select(vec![day(1, 1, 1), day(1969, 12, 31), day(1970, 1, 1), day(2026, 11, 28), day(9999, 12, 31)])
}

/// Whole seconds, which all units can represent.
fn instants() -> impl Strategy<Value = DateTime<Utc>> {
    let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
    select(vec![
        at("0001-01-01T00:00:00Z"),
        at("1582-10-04T12:00:00Z"),
        at("1969-12-31T23:59:59Z"),
        at("1970-01-01T00:00:00Z"),
        at("2026-11-28T02:30:00Z"),
        at("9999-12-31T23:59:59Z"),
    ])
}
