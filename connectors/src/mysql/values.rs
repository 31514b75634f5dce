//! One column that is being read: values of the client go in, an Arrow array comes out.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Float32Builder,
    Float64Builder, Int8Builder, Int16Builder, Int32Builder, Int64Builder, StringBuilder,
    Time64MicrosecondBuilder, TimestampMicrosecondBuilder, UInt8Builder, UInt16Builder, UInt32Builder,
    UInt64Builder,
};
use mysql_async::Value;

use super::types::Decoded;
use crate::numbers;

/// What a value takes that has no length of its own.
const FIXED_BYTES: usize = 8;

const AS_TEXT: Option<&str> = Some("leave it out by a filter, or read the column as text by `text_for`");
const UNEXPECTED: Bad = Bad::new("a value that is not of the type of its column");

/// Why a value cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bad {
    pub(super) what: &'static str,
    pub(super) help: Option<&'static str>,
}

impl Bad {
    const fn new(what: &'static str) -> Bad {
        Bad { what, help: None }
    }
}

/// The values of one column so far.
pub(super) struct Values {
    column: Builder,
    /// Whether the date 0000-00-00 is a null.
    zero_is_null: bool,
}

enum Builder {
    Bool(BooleanBuilder),
    Int8(Int8Builder),
    Int16(Int16Builder),
    Int32(Int32Builder),
    Int64(Int64Builder),
    UInt8(UInt8Builder),
    UInt16(UInt16Builder),
    UInt32(UInt32Builder),
    UInt64(UInt64Builder),
    Bits(UInt64Builder),
    Float(Float32Builder),
    Double(Float64Builder),
    Decimal(Decimal128Builder, u8, u8),
    Text(StringBuilder),
    Binary(BinaryBuilder),
    Date(Date32Builder),
    Timestamp(TimestampMicrosecondBuilder),
    Time(Time64MicrosecondBuilder),
}

/// Calls `$body` with the builder, whatever it builds.
macro_rules! with_builder {
    ($column:expr, $builder:ident => $body:expr) => {
        match $column {
            Builder::Bool($builder) => $body,
            Builder::Int8($builder) => $body,
            Builder::Int16($builder) => $body,
            Builder::Int32($builder) => $body,
            Builder::Int64($builder) => $body,
            Builder::UInt8($builder) => $body,
            Builder::UInt16($builder) => $body,
            Builder::UInt32($builder) => $body,
            Builder::UInt64($builder) | Builder::Bits($builder) => $body,
            Builder::Float($builder) => $body,
            Builder::Double($builder) => $body,
            Builder::Decimal($builder, ..) => $body,
            Builder::Text($builder) => $body,
            Builder::Binary($builder) => $body,
            Builder::Date($builder) => $body,
            Builder::Timestamp($builder) => $body,
            Builder::Time($builder) => $body,
        }
    };
}

impl Values {
    /// Room for about `rows` values.
    pub(super) fn new(decoded: Decoded, rows: usize, zero_is_null: bool) -> Values {
        let column = match decoded {
            Decoded::Bool => Builder::Bool(BooleanBuilder::with_capacity(rows)),
            Decoded::Int8 => Builder::Int8(Int8Builder::with_capacity(rows)),
            Decoded::Int16 => Builder::Int16(Int16Builder::with_capacity(rows)),
            Decoded::Int32 => Builder::Int32(Int32Builder::with_capacity(rows)),
            Decoded::Int64 => Builder::Int64(Int64Builder::with_capacity(rows)),
            Decoded::UInt8 => Builder::UInt8(UInt8Builder::with_capacity(rows)),
            Decoded::UInt16 => Builder::UInt16(UInt16Builder::with_capacity(rows)),
            Decoded::UInt32 => Builder::UInt32(UInt32Builder::with_capacity(rows)),
            Decoded::UInt64 => Builder::UInt64(UInt64Builder::with_capacity(rows)),
            Decoded::Bits => Builder::Bits(UInt64Builder::with_capacity(rows)),
            Decoded::Float => Builder::Float(Float32Builder::with_capacity(rows)),
            Decoded::Double => Builder::Double(Float64Builder::with_capacity(rows)),
            Decoded::Decimal { precision, scale } => {
                let builder = Decimal128Builder::with_capacity(rows).with_data_type(decoded.data_type());
                Builder::Decimal(builder, precision, scale)
            }
            Decoded::Text => Builder::Text(StringBuilder::with_capacity(rows, 0)),
            Decoded::Binary => Builder::Binary(BinaryBuilder::with_capacity(rows, 0)),
            Decoded::Date => Builder::Date(Date32Builder::with_capacity(rows)),
            Decoded::DateTime | Decoded::Timestamp => {
                let builder = TimestampMicrosecondBuilder::with_capacity(rows);
                Builder::Timestamp(builder.with_data_type(decoded.data_type()))
            }
            Decoded::Time => Builder::Time(Time64MicrosecondBuilder::with_capacity(rows)),
        };
        Values { column, zero_is_null }
    }

    /// Adds a value, and gives how many bytes it takes, about.
    pub(super) fn push(&mut self, value: &Value) -> Result<usize, Bad> {
        match value {
            Value::NULL => self.push_null(),
            Value::Date(0, 0, 0, ..) if self.zero_is_null => self.push_null(),
            Value::Bytes(bytes) => {
                self.push_bytes(bytes)?;
                return Ok(bytes.len().max(FIXED_BYTES));
            }
            Value::Int(int) => self.push_int(i128::from(*int))?,
            Value::UInt(int) => self.push_int(i128::from(*int))?,
            value => self.push_other(value)?,
        }
        Ok(FIXED_BYTES)
    }

    fn push_null(&mut self) {
        with_builder!(&mut self.column, builder => builder.append_null());
    }

    #[inline]
    fn push_int(&mut self, int: i128) -> Result<(), Bad> {
        const NO_BOOL: Bad = Bad {
            what: "a number other than 0 and 1, which is no boolean",
            help: Some("read it as a number"),
        };
        macro_rules! append {
            ($builder:expr) => {
                $builder.append_value(int.try_into().map_err(|_| UNEXPECTED)?)
            };
        }
        match &mut self.column {
            Builder::Bool(builder) => match int {
                0 | 1 => builder.append_value(int == 1),
                _ => return Err(NO_BOOL),
            },
            Builder::Int8(builder) => append!(builder),
            Builder::Int16(builder) => append!(builder),
            Builder::Int32(builder) => append!(builder),
            Builder::Int64(builder) => append!(builder),
            Builder::UInt8(builder) => append!(builder),
            Builder::UInt16(builder) => append!(builder),
            Builder::UInt32(builder) => append!(builder),
            Builder::UInt64(builder) => append!(builder),
            _ => return Err(UNEXPECTED),
        }
        Ok(())
    }

    #[inline]
    fn push_bytes(&mut self, bytes: &[u8]) -> Result<(), Bad> {
        const NOT_UTF8: Bad = Bad {
            what: "text that is not UTF-8",
            help: Some("read it as bytes: `CAST(… AS BINARY)` in a query"),
        };
        const TOO_LONG: Bad = Bad { what: "a number with more digits than its column", help: AS_TEXT };
        match &mut self.column {
            Builder::Text(builder) => {
                builder.append_value(std::str::from_utf8(bytes).map_err(|_| NOT_UTF8)?);
            }
            Builder::Binary(builder) => builder.append_value(bytes),
            Builder::Decimal(builder, precision, scale) => {
                builder.append_value(numbers::units(bytes, *precision, *scale).ok_or(TOO_LONG)?);
            }
            Builder::Bool(builder) => builder.append_value(bits(bytes)? != 0),
            Builder::Bits(builder) => builder.append_value(bits(bytes)?),
            _ => return Err(UNEXPECTED),
        }
        Ok(())
    }

    fn push_other(&mut self, value: &Value) -> Result<(), Bad> {
        const NO_DATE: Bad = Bad {
            what: "a date that does not exist, such as 0000-00-00 or 2026-02-31, which no column holds",
            help: Some(
                "read the column as text by `text_for`; `zero_dates = \"null\"` makes nulls of 0000-00-00",
            ),
        };
        const NO_TIME: Bad = Bad { what: "a time beyond a day, which no column holds", help: AS_TEXT };
        match (&mut self.column, value) {
            (Builder::Float(builder), Value::Float(float)) => builder.append_value(*float),
            (Builder::Double(builder), Value::Double(double)) => builder.append_value(*double),
            (Builder::Date(builder), Value::Date(year, month, day, ..)) => {
                builder.append_value(days(*year, *month, *day).ok_or(NO_DATE)?);
            }
            (Builder::Timestamp(builder), Value::Date(year, month, day, hour, minute, second, micros)) => {
                let days = days(*year, *month, *day).ok_or(NO_DATE)?;
                let time = time(*hour, *minute, *second, *micros).ok_or(UNEXPECTED)?;
                builder.append_value(numbers::instant(days, time));
            }
            (Builder::Time(builder), Value::Time(false, 0, hour, minute, second, micros)) => {
                builder.append_value(time(*hour, *minute, *second, *micros).ok_or(NO_TIME)?);
            }
            (Builder::Time(_), Value::Time(..)) => return Err(NO_TIME),
            _ => return Err(UNEXPECTED),
        }
        Ok(())
    }

    /// The values as an array; the column is empty after that.
    pub(super) fn finish(&mut self) -> ArrayRef {
        with_builder!(&mut self.column, builder => Arc::new(builder.finish()))
    }
}

fn days(year: u16, month: u8, day: u8) -> Option<i32> {
    numbers::days(year.into(), month.into(), day.into())
}

fn time(hour: u8, minute: u8, second: u8, micros: u32) -> Option<i64> {
    numbers::micros(hour.into(), minute.into(), second.into(), micros)
}

/// Up to 64 bits, the highest byte first.
fn bits(bytes: &[u8]) -> Result<u64, Bad> {
    match bytes.len() {
        1..=8 => Ok(bytes.iter().fold(0, |bits, byte| bits << 8 | u64::from(*byte))),
        _ => Err(UNEXPECTED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(decoded: Decoded, value: Value) -> Result<usize, Bad> {
        Values::new(decoded, 1, false).push(&value)
    }

    #[test]
    fn values_that_no_column_holds_are_refused() {
        for value in [Value::Date(0, 0, 0, 0, 0, 0, 0), Value::Date(2026, 2, 31, 0, 0, 0, 0)] {
            assert!(push(Decoded::Date, value.clone()).unwrap_err().what.contains("does not exist"));
            assert!(push(Decoded::DateTime, value).is_err());
        }
        assert!(push(Decoded::Time, Value::Time(false, 1, 0, 0, 0, 0)).is_err());
        assert!(push(Decoded::Time, Value::Time(true, 0, 0, 0, 0, 1)).is_err());
        assert!(push(Decoded::Bool, Value::Int(2)).unwrap_err().what.contains("no boolean"));
        assert!(push(Decoded::Int8, Value::Int(128)).is_err());
        assert!(push(Decoded::UInt64, Value::Int(-1)).is_err());
        assert!(push(Decoded::Text, Value::Bytes(vec![0xff])).is_err());
        assert!(push(Decoded::Text, Value::Int(1)).is_err());
    }

    #[test]
    fn a_zero_date_is_a_null_where_that_was_asked_for() {
        let mut dates = Values::new(Decoded::Date, 2, true);
        assert!(dates.push(&Value::Date(0, 0, 0, 0, 0, 0, 0)).is_ok());
        assert!(dates.push(&Value::Date(2026, 0, 1, 0, 0, 0, 0)).is_err(), "a part of a date is none");
        assert_eq!(dates.finish().null_count(), 1);
    }

    #[test]
    fn bits_are_a_number() {
        assert_eq!(bits(&[1, 0]), Ok(256));
        assert_eq!(bits(&[0xff; 8]), Ok(u64::MAX));
        assert!(bits(&[0; 9]).is_err() && bits(&[]).is_err());
    }
}
