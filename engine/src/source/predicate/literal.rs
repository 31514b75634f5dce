//! The literals of a filter, converted to the type of the column that they are compared with.
//!
//! The rule: **a literal is exact, or refused.** A text is parsed to the column's type by the rules for CSV
//! fields. A number, a date or a timestamp keeps its value, which the type must be able to represent. A
//! literal between two values of the type, such as 9.5 for an integer, equals none of them, but may be
//! greater or less: in an order comparison it bounds the column exactly, and in an equality, which could only
//! be a mistake, it is refused. A float that is compared with a decimal is taken as the decimal that is
//! written. Only the types matter, so a wrong literal is an error of class config before any file is opened.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use arrow::datatypes::{DataType, Field, TimeUnit};
use arrow::util::display::array_value_to_string;
use datafusion_common::ScalarValue;
use serde::{Deserialize, Serialize};

use super::kind::Kind;
use crate::error::{Error, Result};
use crate::source::convert::convert;

const NANOS_PER_DAY: i128 = 86_400_000_000_000;
const NANOS_PER_MICRO: i128 = 1_000;

/// A literal of a filter, in a serializable form.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Literal {
    value: Value,
    /// The literal as it is written in messages.
    text: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Value {
    Null,
    Boolean(bool),
    Integer(i128),
    Float(f64),
    Decimal { units: i128, scale: u8 },
    Text(String),
    Bytes(Vec<u8>),
    Date(i32),
    Clock(i128),
    Instant(i128),
}

/// The other side of a comparison: a literal, converted for a column.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::source) enum Bound {
    Boolean(bool),
    Point(Point),
    Float(f64),
    Bytes(Vec<u8>),
}

/// A number in the units of a [`Kind`]; one that is not exact is between `floor` and the next integer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::source) struct Point {
    floor: i128,
    is_exact: bool,
}

impl Point {
    /// The number, if it is exact.
    pub(super) fn exact(self) -> Option<i128> {
        self.is_exact.then_some(self.floor)
    }

    /// How a value in the same units compares with this number.
    pub(in crate::source) fn order_of(self, value: i128) -> Ordering {
        match value.cmp(&self.floor) {
            Ordering::Equal if !self.is_exact => Ordering::Less,
            order => order,
        }
    }

    /// Converts `units` to a unit that is 10^`digits` times as large.
    fn coarser(units: i128, digits: u32) -> Point {
        match 10_i128.checked_pow(digits) {
            Some(by) => Point { floor: units.div_euclid(by), is_exact: units.rem_euclid(by) == 0 },
            None => Point { floor: if units < 0 { -1 } else { 0 }, is_exact: units == 0 },
        }
    }
}

/// Why a literal does not fit a column's type.
enum Misfit {
    Type,
    Range,
    Rounded,
    /// Only one of the literal and the column has a zone.
    Zone,
    /// The error of the parser.
    Text(Error),
}

impl Literal {
    /// # Errors
    /// Of class config for a type that no column has.
    pub(super) fn new(scalar: &ScalarValue) -> Result<Literal> {
        let value = Value::of(scalar)
            .ok_or_else(|| Error::config(format!("a source cannot compare with {}", scalar.data_type())))?;
        let text = match &value {
            Value::Text(text) => format!("'{text}'"),
            _ => array_value_to_string(&scalar.to_array()?, 0)?,
        };
        Ok(Literal { value, text })
    }

    pub(super) fn is_null(&self) -> bool {
        self.value == Value::Null
    }

    /// The text, if it is one.
    pub(super) fn as_text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The literal as a condition; `None` for a null.
    ///
    /// # Errors
    /// Of class config if it is not a Boolean.
    pub(super) fn as_condition(&self) -> Result<Option<bool>> {
        match self.value {
            Value::Boolean(value) => Ok(Some(value)),
            Value::Null => Ok(None),
            _ => Err(Error::config(format!("the filter is {}, expected Boolean", self.own_type()))),
        }
    }

    /// The type of the literal when it is not compared with a typed column.
    pub(super) fn own_type(&self) -> DataType {
        match &self.value {
            Value::Null => DataType::Null,
            Value::Boolean(_) => DataType::Boolean,
            Value::Integer(value) if i64::try_from(*value).is_err() => DataType::UInt64,
            Value::Integer(_) => DataType::Int64,
            Value::Float(_) => DataType::Float64,
            Value::Decimal { scale, .. } => DataType::Decimal128(38, *scale as i8),
            Value::Text(_) => DataType::Utf8,
            Value::Bytes(_) => DataType::Binary,
            Value::Date(_) => DataType::Date32,
            Value::Clock(_) => DataType::Timestamp(TimeUnit::Microsecond, None),
            Value::Instant(_) => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        }
    }

    /// The literal as a column of one row with the type [`Literal::own_type`].
    ///
    /// # Errors
    /// Of class config for a time that is finer than a microsecond.
    pub(super) fn column(&self) -> Result<ArrayRef> {
        let to = self.own_type();
        let micros = |nanos: i128| {
            let micros = (nanos % NANOS_PER_MICRO == 0).then(|| i64::try_from(nanos / NANOS_PER_MICRO).ok());
            micros.flatten().ok_or_else(|| Error::config(format!("the literal {} is no {to}", self.text)))
        };
        let scalar = match &self.value {
            Value::Null => ScalarValue::Null,
            Value::Boolean(value) => ScalarValue::Boolean(Some(*value)),
            Value::Integer(value) => match i64::try_from(*value) {
                Ok(value) => ScalarValue::Int64(Some(value)),
                Err(_) => ScalarValue::UInt64(u64::try_from(*value).ok()),
            },
            Value::Float(value) => ScalarValue::Float64(Some(*value)),
            Value::Decimal { units, scale } => ScalarValue::Decimal128(Some(*units), 38, *scale as i8),
            Value::Text(text) => ScalarValue::Utf8(Some(text.clone())),
            Value::Bytes(bytes) => ScalarValue::Binary(Some(bytes.clone())),
            Value::Date(days) => ScalarValue::Date32(Some(*days)),
            Value::Clock(nanos) => ScalarValue::TimestampMicrosecond(Some(micros(*nanos)?), None),
            Value::Instant(nanos) => {
                ScalarValue::TimestampMicrosecond(Some(micros(*nanos)?), Some("UTC".into()))
            }
        };
        Ok(scalar.to_array()?)
    }

    /// Converts the literal for the column `name` of the row type's `data_type`; `in_order` for a comparison
    /// by order, which does not need an exact value.
    ///
    /// # Errors
    /// Of class config, with column, type and literal, if it is not a value of that type.
    pub(super) fn bound(&self, name: &str, data_type: &DataType, in_order: bool) -> Result<(Kind, Bound)> {
        let fitted = match Kind::of(data_type) {
            Some(kind) => self.value.fitted(&self.text, kind, data_type, in_order).map(|bound| (kind, bound)),
            None => Err(Misfit::Type),
        };
        fitted.map_err(|why| {
            let text =
                format!("the literal {} does not fit the column `{name}`, which is {data_type}", self.text);
            why.explained(text).at("column", name)
        })
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Misfit {
    fn explained(self, text: String) -> Error {
        match self {
            Misfit::Type => Error::config(text),
            Misfit::Range => Error::config(format!("{text}: it is out of its range")),
            Misfit::Rounded => {
                Error::config(format!("{text}: it would have to be rounded, and equals no value"))
                    .help("compare with a literal of the column's type, or by `<` or `>`")
            }
            Misfit::Zone => Error::config(format!("{text}: only one of them has a zone")).help(
                "a column with a zone is compared with a `DateTime<Utc>` or a text such as \
                 '2026-11-21T12:30:00Z', one without with a `NaiveDateTime`",
            ),
            Misfit::Text(error) => Error::config(format!("{text}: {}", error.message()))
                .help("texts are read as fields of CSV are"),
        }
    }
}

impl Value {
    fn of(scalar: &ScalarValue) -> Option<Value> {
        use ScalarValue::*;
        let decimal = |units, scale: i8| Some(Value::Decimal { units, scale: u8::try_from(scale).ok()? });
        if let Dictionary(_, value) = scalar {
            return Value::of(value);
        }
        if scalar.is_null() {
            return Some(Value::Null);
        }
        match scalar {
            Boolean(Some(value)) => Some(Value::Boolean(*value)),
            Int8(Some(value)) => Some(Value::Integer((*value).into())),
            Int16(Some(value)) => Some(Value::Integer((*value).into())),
            Int32(Some(value)) => Some(Value::Integer((*value).into())),
            Int64(Some(value)) => Some(Value::Integer((*value).into())),
            UInt8(Some(value)) => Some(Value::Integer((*value).into())),
            UInt16(Some(value)) => Some(Value::Integer((*value).into())),
            UInt32(Some(value)) => Some(Value::Integer((*value).into())),
            UInt64(Some(value)) => Some(Value::Integer((*value).into())),
            Float16(Some(value)) => Some(Value::Float((*value).into())),
            Float32(Some(value)) => Some(Value::Float((*value).into())),
            Float64(Some(value)) => Some(Value::Float(*value)),
            Decimal32(Some(units), _, scale) => decimal((*units).into(), *scale),
            Decimal64(Some(units), _, scale) => decimal((*units).into(), *scale),
            Decimal128(Some(units), _, scale) => decimal(*units, *scale),
            Utf8(Some(text)) | LargeUtf8(Some(text)) | Utf8View(Some(text)) => {
                Some(Value::Text(text.clone()))
            }
            Binary(Some(bytes)) | LargeBinary(Some(bytes)) | BinaryView(Some(bytes)) => {
                Some(Value::Bytes(bytes.clone()))
            }
            FixedSizeBinary(_, Some(bytes)) => Some(Value::Bytes(bytes.clone())),
            Date32(Some(days)) => Some(Value::Date(*days)),
            TimestampSecond(Some(number), zone) => Some(Value::time(*number, 1_000_000_000, zone)),
            TimestampMillisecond(Some(number), zone) => Some(Value::time(*number, 1_000_000, zone)),
            TimestampMicrosecond(Some(number), zone) => Some(Value::time(*number, NANOS_PER_MICRO, zone)),
            TimestampNanosecond(Some(number), zone) => Some(Value::time(*number, 1, zone)),
            _ => None,
        }
    }

    fn time(number: i64, nanos: i128, zone: &Option<Arc<str>>) -> Value {
        let nanos = i128::from(number) * nanos;
        if zone.is_some() { Value::Instant(nanos) } else { Value::Clock(nanos) }
    }

    fn fitted(&self, text: &str, kind: Kind, data_type: &DataType, in_order: bool) -> Result<Bound, Misfit> {
        let point = |point: Point| match in_order || point.is_exact {
            true => Ok(Bound::Point(point)),
            false => Err(Misfit::Rounded),
        };
        let exact = |floor| Ok(Bound::Point(Point { floor, is_exact: true }));
        match (self, kind) {
            (Value::Text(text), Kind::Text) => Ok(Bound::Bytes(text.clone().into_bytes())),
            (Value::Text(text), _) => parsed(text, kind, data_type)?.fitted(text, kind, data_type, in_order),
            (Value::Boolean(value), Kind::Boolean) => Ok(Bound::Boolean(*value)),
            (Value::Bytes(bytes), Kind::Bytes) => Ok(Bound::Bytes(bytes.clone())),
            (Value::Integer(value), Kind::Integer { .. } | Kind::Decimal { .. }) => {
                point(rescaled(*value, 0, kind)?)
            }
            (Value::Decimal { units, scale }, Kind::Integer { .. } | Kind::Decimal { .. }) => {
                point(rescaled(*units, *scale, kind)?)
            }
            (Value::Float(value), Kind::Integer { .. }) => point(whole(*value, kind)?),
            (Value::Float(value), Kind::Decimal { .. }) => {
                let (units, scale) = written(*value, text).ok_or(Misfit::Range)?;
                point(rescaled(units, scale, kind)?)
            }
            (Value::Integer(value), Kind::Single | Kind::Double) => float(*value, 0, kind),
            (Value::Decimal { units, scale }, Kind::Single | Kind::Double) => float(*units, *scale, kind),
            (Value::Float(value), Kind::Double) => Ok(Bound::Float(*value)),
            (Value::Float(value), Kind::Single) => single(*value, in_order),
            (Value::Date(days), Kind::Date) => exact((*days).into()),
            (Value::Date(days), Kind::Clock) => exact(i128::from(*days) * NANOS_PER_DAY),
            (Value::Clock(nanos), Kind::Date) => point(Point {
                floor: nanos.div_euclid(NANOS_PER_DAY),
                is_exact: nanos.rem_euclid(NANOS_PER_DAY) == 0,
            }),
            // The timestamps of rows are whole microseconds.
            (Value::Clock(nanos), Kind::Clock) | (Value::Instant(nanos), Kind::Instant) => {
                if in_order || nanos % NANOS_PER_MICRO == 0 { exact(*nanos) } else { Err(Misfit::Rounded) }
            }
            (Value::Clock(_) | Value::Date(_), Kind::Instant) => Err(Misfit::Zone),
            (Value::Instant(_), Kind::Clock | Kind::Date) => Err(Misfit::Zone),
            _ => Err(Misfit::Type),
        }
    }
}

/// Parses a text as a value of a column's type, by the rules for CSV fields.
fn parsed(text: &str, kind: Kind, data_type: &DataType) -> Result<Value, Misfit> {
    match kind {
        Kind::Bytes => return Err(Misfit::Type),
        Kind::Boolean if text.eq_ignore_ascii_case("true") => return Ok(Value::Boolean(true)),
        Kind::Boolean if text.eq_ignore_ascii_case("false") => return Ok(Value::Boolean(false)),
        Kind::Boolean => return Err(Misfit::Type),
        _ => {}
    }
    let column: ArrayRef = Arc::new(StringArray::from(vec![text]));
    let column = convert(&column, &Field::new("", data_type.clone(), true));
    let column = column.map_err(|unfit| Misfit::Text(unfit.error))?;
    let value = ScalarValue::try_from_array(&column, 0).ok().and_then(|scalar| Value::of(&scalar));
    match value.ok_or(Misfit::Type)? {
        // A parser also returns infinity for a number that is too large.
        Value::Float(value) if value.is_infinite() && text.contains(|c: char| c.is_ascii_digit()) => {
            Err(Misfit::Range)
        }
        value => Ok(value),
    }
}

/// Converts a number in units of 10^-`scale` to an integer, or to a decimal of another scale.
fn rescaled(units: i128, scale: u8, kind: Kind) -> Result<Point, Misfit> {
    let (min, max, to) = match kind {
        Kind::Integer { min, max } => (min, max, 0),
        Kind::Decimal { precision, scale } => {
            let max = 10_i128.pow(precision.into()) - 1;
            (-max, max, scale)
        }
        _ => return Err(Misfit::Type),
    };
    let point = match to.checked_sub(scale) {
        Some(finer) => {
            let factor = 10_i128.checked_pow(finer.into()).ok_or(Misfit::Range)?;
            Point { floor: units.checked_mul(factor).ok_or(Misfit::Range)?, is_exact: true }
        }
        None => Point::coarser(units, (scale - to).into()),
    };
    let last = point.floor + i128::from(!point.is_exact);
    if point.floor < min || last > max { Err(Misfit::Range) } else { Ok(point) }
}

/// Converts a float to the integers of `kind`.
fn whole(value: f64, kind: Kind) -> Result<Point, Misfit> {
    // No integer column has such values, and the conversion below would saturate.
    if value.is_nan() || value.abs() > 1e30 {
        return Err(Misfit::Range);
    }
    let floor = value.floor();
    let point = Point { is_exact: floor == value, ..rescaled(floor as i128, 0, kind)? };
    if !point.is_exact {
        rescaled(value.ceil() as i128, 0, kind)?;
    }
    Ok(point)
}

/// The decimal that the text of a float represents.
fn written(value: f64, text: &str) -> Option<(i128, u8)> {
    if !value.is_finite() {
        return None;
    }
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let part = part.trim_end_matches('0');
    let units: i128 = format!("{whole}{part}").parse().ok()?;
    match i32::try_from(part.len()).ok()?.checked_sub(exponent)? {
        scale if scale >= 0 => Some((units, u8::try_from(scale).ok()?)),
        more => Some((units.checked_mul(10_i128.checked_pow(more.unsigned_abs())?)?, 0)),
    }
}

/// Converts a number in units of 10^-`scale` to the float that is exactly equal to it.
fn float(units: i128, scale: u8, kind: Kind) -> Result<Bound, Misfit> {
    let bits = if kind == Kind::Single { 24 } else { 53 };
    let fives = 5_i128.checked_pow(scale.into()).ok_or(Misfit::Rounded)?;
    let halves = units / fives;
    let odd = halves >> halves.trailing_zeros().min(126);
    if units % fives != 0 || odd.unsigned_abs() >= 1 << bits {
        return Err(Misfit::Rounded);
    }
    Ok(Bound::Float(halves as f64 / 2_f64.powi(scale.into())))
}

/// Checks that a float is exact in single precision.
fn single(value: f64, in_order: bool) -> Result<Bound, Misfit> {
    let nearest = value as f32;
    if value.is_finite() && nearest.is_infinite() {
        return Err(Misfit::Range);
    }
    if in_order || value.is_nan() || f64::from(nearest) == value {
        Ok(Bound::Float(value))
    } else {
        Err(Misfit::Rounded)
    }
}
