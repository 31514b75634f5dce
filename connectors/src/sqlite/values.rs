//! One column that is being read: values of SQLite go in, an Arrow array comes out.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Float64Builder, Int64Builder,
    StringBuilder, TimestampMicrosecondBuilder,
};
use rusqlite::types::ValueRef;

use super::types::Decoded;
use crate::numbers;

/// Integers up to this are floats of 64 bits, too.
const EXACT: u64 = 1 << 53;
/// What a value takes that has no length of its own.
const FIXED_BYTES: usize = 8;

const AS_TEXT: &str = "correct it, leave it out by a filter, or read the column as text by `text_for`";

/// Why a value does not fit its column.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Bad {
    pub(super) what: String,
    pub(super) help: Option<&'static str>,
}

/// The values of one column so far.
pub(super) enum Values {
    Int(Int64Builder),
    Real(Float64Builder),
    Bool(BooleanBuilder),
    Text(StringBuilder),
    Blob(BinaryBuilder),
    Date(Date32Builder),
    Timestamp(TimestampMicrosecondBuilder),
    Decimal(Decimal128Builder, u8, u8),
    AsText(StringBuilder),
}

impl Values {
    /// Room for about `rows` values.
    pub(super) fn new(decoded: Decoded, rows: usize) -> Values {
        match decoded {
            Decoded::Int => Values::Int(Int64Builder::with_capacity(rows)),
            Decoded::Real => Values::Real(Float64Builder::with_capacity(rows)),
            Decoded::Bool => Values::Bool(BooleanBuilder::with_capacity(rows)),
            Decoded::Text => Values::Text(StringBuilder::with_capacity(rows, 0)),
            Decoded::Blob => Values::Blob(BinaryBuilder::with_capacity(rows, 0)),
            Decoded::Date => Values::Date(Date32Builder::with_capacity(rows)),
            Decoded::Timestamp => Values::Timestamp(TimestampMicrosecondBuilder::with_capacity(rows)),
            Decoded::Decimal { precision, scale } => {
                let builder = Decimal128Builder::with_capacity(rows).with_data_type(decoded.data_type());
                Values::Decimal(builder, precision, scale)
            }
            Decoded::AsText => Values::AsText(StringBuilder::with_capacity(rows, 0)),
        }
    }

    /// Adds a value, and gives how many bytes it takes, about.
    pub(super) fn push(&mut self, value: ValueRef<'_>) -> Result<usize, Bad> {
        match (self, value) {
            (values, ValueRef::Null) => values.push_null(),
            (Values::Int(builder), ValueRef::Integer(int)) => builder.append_value(int),
            (Values::Real(builder), ValueRef::Real(real)) => builder.append_value(real),
            (Values::Real(builder), ValueRef::Integer(int)) if int.unsigned_abs() <= EXACT => {
                builder.append_value(int as f64);
            }
            (Values::Bool(builder), ValueRef::Integer(int @ (0 | 1))) => builder.append_value(int == 1),
            (Values::Text(builder), ValueRef::Text(text)) => builder.append_value(utf8(text)?),
            (Values::Blob(builder), ValueRef::Blob(bytes)) => builder.append_value(bytes),
            (Values::Date(builder), ValueRef::Text(text)) => {
                builder.append_value(date(text).ok_or_else(|| not("a date as 2026-11-20", value))?);
            }
            (Values::Timestamp(builder), ValueRef::Text(text)) => {
                let micros =
                    timestamp(text).ok_or_else(|| not("a timestamp as 2026-11-20 10:00:00.5", value))?;
                builder.append_value(micros);
            }
            (Values::Decimal(builder, precision, scale), value) => {
                let units = decimal(value, *precision, *scale);
                let fits = || not(&format!("a decimal of {precision} digits with {scale} decimals"), value);
                builder.append_value(units.ok_or_else(fits)?);
            }
            (Values::AsText(builder), value) => append_text(builder, value)?,
            (values, value) => return Err(not(values.wants(), value)),
        }
        Ok(match value {
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.len().max(FIXED_BYTES),
            _ => FIXED_BYTES,
        })
    }

    fn push_null(&mut self) {
        match self {
            Values::Int(builder) => builder.append_null(),
            Values::Real(builder) => builder.append_null(),
            Values::Bool(builder) => builder.append_null(),
            Values::Text(builder) | Values::AsText(builder) => builder.append_null(),
            Values::Blob(builder) => builder.append_null(),
            Values::Date(builder) => builder.append_null(),
            Values::Timestamp(builder) => builder.append_null(),
            Values::Decimal(builder, ..) => builder.append_null(),
        }
    }

    /// What the column holds, for errors.
    fn wants(&self) -> &'static str {
        match self {
            Values::Int(_) => "an integer",
            Values::Real(_) => "a float",
            Values::Bool(_) => "a boolean, 0 or 1",
            Values::Text(_) | Values::AsText(_) => "text",
            Values::Blob(_) => "a blob",
            Values::Date(_) => "a date as 2026-11-20",
            Values::Timestamp(_) => "a timestamp as 2026-11-20 10:00:00.5",
            Values::Decimal(..) => "a decimal",
        }
    }

    /// The values as an array; the column is empty after that.
    pub(super) fn finish(&mut self) -> ArrayRef {
        match self {
            Values::Int(builder) => Arc::new(builder.finish()),
            Values::Real(builder) => Arc::new(builder.finish()),
            Values::Bool(builder) => Arc::new(builder.finish()),
            Values::Text(builder) | Values::AsText(builder) => Arc::new(builder.finish()),
            Values::Blob(builder) => Arc::new(builder.finish()),
            Values::Date(builder) => Arc::new(builder.finish()),
            Values::Timestamp(builder) => Arc::new(builder.finish()),
            Values::Decimal(builder, ..) => Arc::new(builder.finish()),
        }
    }
}

/// The error about a value: its storage class, and the value if it is a short one.
#[cold]
fn not(wanted: &str, value: ValueRef<'_>) -> Bad {
    let class = match value {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Integer(int) => format!("the INTEGER {int}"),
        ValueRef::Real(real) => format!("the REAL {real:?}"),
        ValueRef::Text(_) => "a TEXT".to_owned(),
        ValueRef::Blob(_) => "a BLOB".to_owned(),
    };
    Bad { what: format!("{class} is not {wanted}"), help: Some(AS_TEXT) }
}

fn utf8(text: &[u8]) -> Result<&str, Bad> {
    let what = || "text that is not UTF-8".to_owned();
    std::str::from_utf8(text)
        .map_err(|_| Bad { what: what(), help: Some("read it as bytes: `CAST(… AS BLOB)` in a query") })
}

fn append_text(builder: &mut StringBuilder, value: ValueRef<'_>) -> Result<(), Bad> {
    match value {
        ValueRef::Null => builder.append_null(),
        ValueRef::Integer(int) => builder.append_value(int.to_string()),
        ValueRef::Real(real) => builder.append_value(format!("{real:?}")),
        ValueRef::Text(text) => builder.append_value(utf8(text)?),
        ValueRef::Blob(bytes) => {
            builder.append_value(bytes.iter().map(|byte| format!("{byte:02X}")).collect::<String>());
        }
    }
    Ok(())
}

fn decimal(value: ValueRef<'_>, precision: u8, scale: u8) -> Option<i128> {
    match value {
        ValueRef::Integer(int) => numbers::units(int.to_string().as_bytes(), precision, scale),
        // The shortest number that is this float, without an exponent.
        ValueRef::Real(real) => numbers::units(real.to_string().as_bytes(), precision, scale),
        ValueRef::Text(text) => numbers::units(text, precision, scale),
        ValueRef::Null | ValueRef::Blob(_) => None,
    }
}

/// The day that `2026-11-20` names.
fn date(text: &[u8]) -> Option<i32> {
    let (year, rest) = number(text, 4)?;
    let (month, rest) = number(rest.strip_prefix(b"-")?, 2)?;
    let (day, rest) = number(rest.strip_prefix(b"-")?, 2)?;
    rest.is_empty().then(|| numbers::days(year.cast_signed(), month, day))?
}

/// The microsecond that `2026-11-20 10:00:00.5` names; seconds and decimals may be left out.
fn timestamp(text: &[u8]) -> Option<i64> {
    let (day, time) = text.split_at_checked(10)?;
    let time = time.strip_prefix(b" ").or_else(|| time.strip_prefix(b"T"))?;
    let (hour, rest) = number(time, 2)?;
    let (minute, rest) = number(rest.strip_prefix(b":")?, 2)?;
    let (second, rest) = if rest.is_empty() { (0, rest) } else { number(rest.strip_prefix(b":")?, 2)? };
    let micros = match rest {
        [] => 0,
        [b'.', decimals @ ..] if (1..=6).contains(&decimals.len()) => {
            let (value, _) = number(decimals, decimals.len())?;
            value * 10_u32.pow(6 - decimals.len() as u32)
        }
        _ => return None,
    };
    Some(numbers::instant(date(day)?, numbers::micros(hour, minute, second, micros)?))
}

/// A number of exactly so many digits, and what follows.
fn number(text: &[u8], digits: usize) -> Option<(u32, &[u8])> {
    let (number, rest) = text.split_at_checked(digits)?;
    let is_number = number.iter().all(u8::is_ascii_digit);
    let value = number.iter().fold(0, |value, digit| value * 10 + u32::from(digit.wrapping_sub(b'0')));
    is_number.then_some((value, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_timestamps_are_read_strictly() {
        assert_eq!((date(b"2026-11-20"), date(b"0000-01-01")), (Some(20_777), Some(-719_528)));
        for text in ["2026-11-31", "2026-1-01", "2026-11-20 ", "2460635.5", ""] {
            assert_eq!(date(text.as_bytes()), None, "{text}");
        }
        assert_eq!(timestamp(b"1970-01-01T00:00:01.5"), Some(1_500_000));
        assert_eq!(timestamp(b"1970-01-01 00:01"), Some(60_000_000));
        for text in ["1970-01-01", "1970-01-01 24:00", "1970-01-01 00:00:00Z", "1970-01-01 00:00:00.1234567"]
        {
            assert_eq!(timestamp(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_value_of_another_class_is_refused_and_named() {
        let mut ints = Values::new(Decoded::Int, 1);
        let bad = ints.push(ValueRef::Real(1.5)).unwrap_err();
        assert_eq!(bad.what, "the REAL 1.5 is not an integer");
        assert!(ints.push(ValueRef::Text(b"1")).is_err());
        let mut reals = Values::new(Decoded::Real, 1);
        assert_eq!(reals.push(ValueRef::Integer(1 << 53)), Ok(8));
        assert!(reals.push(ValueRef::Integer((1 << 53) + 1)).is_err(), "it would be rounded");
        assert!(Values::new(Decoded::Bool, 1).push(ValueRef::Integer(2)).is_err());
        assert!(Values::new(Decoded::Text, 1).push(ValueRef::Text(&[0xff])).is_err());
    }

    #[test]
    fn a_decimal_is_the_shortest_number_of_its_float() {
        assert_eq!(decimal(ValueRef::Real(0.1), 15, 2), Some(10));
        assert_eq!(decimal(ValueRef::Real(9_999_999_999_999.99), 15, 2), Some(999_999_999_999_999));
        assert_eq!(decimal(ValueRef::Real(0.1 + 0.2), 15, 2), None, "it has 17 decimals");
        assert_eq!(decimal(ValueRef::Real(f64::INFINITY), 15, 2), None);
        assert_eq!(decimal(ValueRef::Integer(-7), 15, 2), Some(-700));
    }
}
