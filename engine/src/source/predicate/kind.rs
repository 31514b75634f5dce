//! The kind of a column's values, independent of how a file stores them.
//!
//! Files may store a timestamp in seconds or nanoseconds and in any zone, a decimal with a smaller scale, an
//! integer with fewer bits, and all of them compare in the same way. Values and statistics are compared as
//! integers in one unit per [`Kind`], in which the values of every file are exact.

use std::sync::Arc;

use arrow::array::types::{
    ArrowPrimitiveType, Date32Type, Decimal32Type, Decimal64Type, Decimal128Type, Int8Type, Int16Type,
    Int32Type, Int64Type, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit};

use crate::error::{Error, Result};
use crate::source::fits::fits;

/// The largest precision of a decimal in a row.
const MAX_PRECISION: u8 = 38;
const NANOS_PER_MICRO: i128 = 1_000;

/// The kind of a column's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::source) enum Kind {
    Boolean,
    Integer {
        min: i128,
        max: i128,
    },
    /// In units of 10^-scale.
    Decimal {
        precision: u8,
        scale: u8,
    },
    /// Floats of single or half precision.
    Single,
    Double,
    Text,
    Bytes,
    /// In days since 1970.
    Date,
    /// Without a zone, in nanoseconds since 1970.
    Clock,
    /// With a zone, in nanoseconds since 1970 in UTC.
    Instant,
}

impl Kind {
    /// The kind of a type; `None` for a type whose values are not compared.
    pub(in crate::source) fn of(data_type: &DataType) -> Option<Kind> {
        use DataType::*;
        let integer = |min: i128, max: i128| Some(Kind::Integer { min, max });
        match data_type {
            Boolean => Some(Kind::Boolean),
            Int8 => integer(i8::MIN.into(), i8::MAX.into()),
            Int16 => integer(i16::MIN.into(), i16::MAX.into()),
            Int32 => integer(i32::MIN.into(), i32::MAX.into()),
            Int64 => integer(i64::MIN.into(), i64::MAX.into()),
            UInt8 => integer(0, u8::MAX.into()),
            UInt16 => integer(0, u16::MAX.into()),
            UInt32 => integer(0, u32::MAX.into()),
            UInt64 => integer(0, u64::MAX.into()),
            Decimal32(precision, scale)
            | Decimal64(precision, scale)
            | Decimal128(precision, scale)
            | Decimal256(precision, scale) => {
                let scale = u8::try_from(*scale).ok()?;
                (*precision <= MAX_PRECISION).then_some(Kind::Decimal { precision: *precision, scale })
            }
            Float16 | Float32 => Some(Kind::Single),
            Float64 => Some(Kind::Double),
            Utf8 | LargeUtf8 | Utf8View => Some(Kind::Text),
            Binary | LargeBinary | BinaryView | FixedSizeBinary(_) => Some(Kind::Bytes),
            Date32 | Date64 => Some(Kind::Date),
            Timestamp(_, None) => Some(Kind::Clock),
            Timestamp(_, Some(_)) => Some(Kind::Instant),
            Dictionary(_, values) => Kind::of(values),
            _ => None,
        }
    }

    /// The kind in which values of both types are compared, if that rounds none of them.
    pub(super) fn common(left: &DataType, right: &DataType) -> Option<Kind> {
        use Kind::*;
        let is_exact = |data_type| fits(data_type, &DataType::Float64, false);
        match (Kind::of(left)?, Kind::of(right)?) {
            (Integer { .. }, Integer { .. }) => Some(Integer { min: i128::MIN, max: i128::MAX }),
            (Decimal { scale: a, .. }, Decimal { scale: b, .. }) => {
                Some(Decimal { precision: MAX_PRECISION, scale: a.max(b) })
            }
            (Decimal { scale, .. }, Integer { .. }) | (Integer { .. }, Decimal { scale, .. }) => {
                Some(Decimal { precision: MAX_PRECISION, scale })
            }
            (Single | Double, Single | Double) => Some(Double),
            (Single | Double, Integer { .. }) if is_exact(right) => Some(Double),
            (Integer { .. }, Single | Double) if is_exact(left) => Some(Double),
            (a, b) => (a == b).then_some(a),
        }
    }

    /// How many units of this kind a number in a column of `data_type` represents; `None` if its numbers are
    /// not of this kind.
    pub(in crate::source) fn units_per_number(self, data_type: &DataType) -> Option<i128> {
        use DataType::*;
        match (self, data_type) {
            (Kind::Date, Date32) => Some(1),
            (Kind::Clock | Kind::Instant, Timestamp(unit, _)) => Some(match unit {
                TimeUnit::Second => 1_000_000_000,
                TimeUnit::Millisecond => 1_000_000,
                TimeUnit::Microsecond => NANOS_PER_MICRO,
                TimeUnit::Nanosecond => 1,
            }),
            // A row may hold a timestamp as the plain number in the file.
            (Kind::Integer { .. }, Timestamp(..)) => Some(1),
            (Kind::Integer { .. }, other) => other.is_integer().then_some(1),
            (Kind::Decimal { scale, .. }, Decimal32(_, from) | Decimal64(_, from) | Decimal128(_, from)) => {
                10_i128.checked_pow(u32::from(scale).checked_sub(u32::try_from(*from).ok()?)?)
            }
            (Kind::Decimal { scale, .. }, other) if other.is_integer() => {
                10_i128.checked_pow(u32::from(scale))
            }
            _ => None,
        }
    }

    /// The values of a column in units of this kind; where a column is null, the value is arbitrary.
    pub(super) fn units(self, column: &ArrayRef) -> Result<Vec<i128>> {
        let column = match column.data_type() {
            DataType::Dictionary(_, values) => &cast(column, values)?,
            DataType::Decimal256(precision, scale) => {
                &cast(column, &DataType::Decimal128(*precision, *scale))?
            }
            DataType::Date64 => &cast(column, &DataType::Date32)?,
            _ => column,
        };
        let numbers = numbers(column);
        match (self.units_per_number(column.data_type()), numbers) {
            (Some(1), Some(numbers)) => Ok(numbers),
            // A value that saturates is still greater than any decimal of 38 digits.
            (Some(factor), Some(numbers)) => {
                Ok(numbers.into_iter().map(|number| number.saturating_mul(factor)).collect())
            }
            _ => Err(Error::bug(format!("a filter takes {} for {self:?}", column.data_type()))),
        }
    }
}

/// The type in which a row holds the values of a file's column of `data_type`.
pub(super) fn row_type(data_type: &DataType) -> DataType {
    use DataType::*;
    match data_type {
        Int8 | Int16 | Int32 => Int64,
        UInt8 | UInt16 | UInt32 => UInt64,
        Float16 => Float32,
        LargeUtf8 | Utf8View => Utf8,
        LargeBinary | BinaryView | FixedSizeBinary(_) => Binary,
        Date64 => Date32,
        Timestamp(_, zone) => Timestamp(TimeUnit::Microsecond, zone.as_ref().map(|_| Arc::from("UTC"))),
        Decimal32(precision, scale) | Decimal64(precision, scale) | Decimal256(precision, scale)
            if *precision <= MAX_PRECISION =>
        {
            Decimal128(*precision, *scale)
        }
        Dictionary(_, values) => row_type(values),
        other => other.clone(),
    }
}

/// The numbers in a column that is stored as integers.
fn numbers(column: &ArrayRef) -> Option<Vec<i128>> {
    use DataType::*;
    Some(match column.data_type() {
        Int8 => widened::<Int8Type>(column),
        Int16 => widened::<Int16Type>(column),
        Int32 => widened::<Int32Type>(column),
        Int64 => widened::<Int64Type>(column),
        UInt8 => widened::<UInt8Type>(column),
        UInt16 => widened::<UInt16Type>(column),
        UInt32 => widened::<UInt32Type>(column),
        UInt64 => widened::<UInt64Type>(column),
        Date32 => widened::<Date32Type>(column),
        Decimal32(..) => widened::<Decimal32Type>(column),
        Decimal64(..) => widened::<Decimal64Type>(column),
        Decimal128(..) => widened::<Decimal128Type>(column),
        Timestamp(TimeUnit::Second, _) => widened::<TimestampSecondType>(column),
        Timestamp(TimeUnit::Millisecond, _) => widened::<TimestampMillisecondType>(column),
        Timestamp(TimeUnit::Microsecond, _) => widened::<TimestampMicrosecondType>(column),
        Timestamp(TimeUnit::Nanosecond, _) => widened::<TimestampNanosecondType>(column),
        _ => return None,
    })
}

fn widened<T: ArrowPrimitiveType<Native: Into<i128>>>(column: &ArrayRef) -> Vec<i128> {
    column.as_primitive::<T>().values().iter().map(|number| (*number).into()).collect()
}
