//! Record batches as `COPY … (FORMAT binary)`: one pass over the rows, values go straight into the bytes that are sent.
//!
//! What a column of the target cannot hold exactly is an error with its row and its column, before it is sent.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float64Type, Int64Type, Time64MicrosecondType,
    Time64NanosecondType, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt64Type,
};
use kiln::{Error, Result};

use super::super::numeric;
use super::super::values::{Bad, DAYS_TO_2000, MICROS_IN_DAY, MICROS_TO_2000};
use super::columns::Column;
use super::encoding::{Encoding, canonical};

/// What every stream begins with, without flags and without an extension.
pub(super) const HEADER: [u8; 19] = *b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// What every stream ends with.
pub(super) const TRAILER: [u8; 2] = (-1_i16).to_be_bytes();

/// Days and microseconds from 2000-01-01 that the server has: from 4714 BC on, and up to these, which are beyond.
const FIRST_DAY: i32 = -2_451_545;
const END_OF_DAYS: i32 = 2_145_031_949;
const FIRST_MICRO: i64 = -211_813_488_000_000_000;
const END_OF_MICROS: i64 = 9_223_371_331_200_000_000;
/// Bytes of a name.
const NAME_BYTES: usize = 63;

const NULL: Bad = Bad::new("a null in a column that is NOT NULL");
const OUT_OF_RANGE: Bad = Bad {
    what: "a number that the column cannot hold",
    help: Some("give the column a larger type, or convert the value"),
};
const INEXACT: Bad = Bad {
    what: "a number that the column would round",
    help: Some("give the column more digits, or round the value before it is written"),
};
const BEYOND: Bad = Bad::new("a time that the server does not have");
const FINER: Bad = Bad {
    what: "a time that is finer than a microsecond, which the column would round",
    help: Some("round the value before it is written"),
};

/// A value that cannot be sent: the row of the batch, the column, and why.
#[derive(Debug)]
pub(super) struct BadValue {
    pub(super) row: usize,
    pub(super) column: usize,
    pub(super) bad: Bad,
}

/// Adds the rows of `batch` to `out`, each with the number of its part behind its columns.
pub(super) fn encode(
    batch: &RecordBatch,
    columns: &[Column],
    part: i64,
    out: &mut Vec<u8>,
) -> Result<Result<(), BadValue>> {
    let values =
        batch.columns().iter().zip(columns).map(|(array, column)| {
            Values::of(array, &column.encoding).map_err(|e| e.at("column", &column.name))
        });
    let values = values.collect::<Result<Vec<_>>>()?;
    let count = i16::try_from(columns.len() + 1)
        .map_err(|_| Error::config("a table of the server has fewer than 1,600 columns"))?;
    for row in 0..batch.num_rows() {
        out.extend_from_slice(&count.to_be_bytes());
        for (at, (value, column)) in values.iter().zip(columns).enumerate() {
            let put = match value.is_null(row) {
                true if column.not_null => Err(NULL),
                _ => value.put(row, out),
            };
            if let Err(bad) = put {
                return Ok(Err(BadValue { row, column: at, bad }));
            }
        }
        out.extend_from_slice(&8_i32.to_be_bytes());
        out.extend_from_slice(&part.to_be_bytes());
    }
    Ok(Ok(()))
}

/// One column of a batch, and how its values are sent.
struct Values<'e> {
    array: ArrayRef,
    kind: Kind<'e>,
}

enum Kind<'e> {
    Null,
    Bool,
    /// Whole numbers; the second one is for those of 64 bits without a sign.
    Int(&'e Encoding),
    Unsigned(&'e Encoding),
    Float4,
    Float8,
    Decimal {
        scale: i32,
        limit: Option<(i32, i32)>,
    },
    Text(&'e Encoding),
    UuidText,
    Bytes,
    UuidBytes,
    Date,
    Timestamp(TimeUnit),
    Time(TimeUnit),
    List(Box<Values<'e>>, u32),
}

impl<'e> Values<'e> {
    fn of(array: &ArrayRef, encoding: &'e Encoding) -> Result<Values<'e>> {
        let array = match canonical(array.data_type()) {
            Some(to) => {
                cast_with_options(array, &to, &CastOptions { safe: false, ..CastOptions::default() })?
            }
            None => ArrayRef::clone(array),
        };
        let kind = kind(&array, encoding)?;
        Ok(Values { array, kind })
    }

    fn is_null(&self, row: usize) -> bool {
        matches!(self.kind, Kind::Null) || self.array.is_null(row)
    }

    /// Adds the length of a value, and the value.
    fn put(&self, row: usize, out: &mut Vec<u8>) -> Result<(), Bad> {
        if self.is_null(row) {
            out.extend_from_slice(&(-1_i32).to_be_bytes());
            return Ok(());
        }
        let array = &self.array;
        match &self.kind {
            Kind::Null => Ok(()),
            Kind::Bool => put(out, &[u8::from(array.as_boolean().value(row))]),
            Kind::Int(encoding) => {
                put_whole(i128::from(array.as_primitive::<Int64Type>().value(row)), encoding, out)
            }
            Kind::Unsigned(encoding) => {
                put_whole(i128::from(array.as_primitive::<UInt64Type>().value(row)), encoding, out)
            }
            Kind::Float4 => put_float4(array.as_primitive::<Float64Type>().value(row), out),
            Kind::Float8 => put(out, &array.as_primitive::<Float64Type>().value(row).to_be_bytes()),
            Kind::Decimal { scale, limit } => {
                let units = array.as_primitive::<Decimal128Type>().value(row);
                put_decimal(units, *scale, *limit, out)
            }
            Kind::Text(encoding) => put_text(array.as_string::<i32>().value(row), encoding, out),
            Kind::UuidText => put_uuid(array.as_string::<i32>().value(row), out),
            Kind::Bytes | Kind::UuidBytes => put(out, array.as_binary::<i32>().value(row)),
            Kind::Date => put_date(array.as_primitive::<Date32Type>().value(row), out),
            Kind::Timestamp(unit) => put_timestamp(timestamp(array, *unit, row)?, out),
            Kind::Time(unit) => put_time(time(array, *unit, row)?, out),
            Kind::List(items, element) => self.put_list(row, items, *element, out),
        }
    }

    /// The count of dimensions, whether there are nulls, the type of the elements, length and first index of the
    /// dimension, and the elements.
    fn put_list(&self, row: usize, items: &Values<'_>, element: u32, out: &mut Vec<u8>) -> Result<(), Bad> {
        let offsets = self.array.as_list::<i32>().value_offsets();
        let (first, end) = (offsets[row] as usize, offsets[row + 1] as usize);
        let start = out.len();
        out.extend_from_slice(&[0; 4]);
        let has_nulls = (first..end).any(|item| items.is_null(item));
        let dimensions = i32::from(end > first);
        for number in [dimensions, i32::from(has_nulls), element.cast_signed()] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        if end > first {
            out.extend_from_slice(&((end - first) as i32).to_be_bytes());
            out.extend_from_slice(&1_i32.to_be_bytes());
        }
        for item in first..end {
            items.put(item, out)?;
        }
        let length = i32::try_from(out.len() - start - 4).map_err(|_| OUT_OF_RANGE)?;
        out[start..start + 4].copy_from_slice(&length.to_be_bytes());
        Ok(())
    }
}

fn kind<'e>(array: &ArrayRef, encoding: &'e Encoding) -> Result<Kind<'e>> {
    use DataType::*;
    Ok(match (array.data_type(), encoding) {
        (Null, _) => Kind::Null,
        (Boolean, Encoding::Bool) => Kind::Bool,
        (Int64, encoding) => Kind::Int(encoding),
        (UInt64, encoding) => Kind::Unsigned(encoding),
        (Float64, Encoding::Float4) => Kind::Float4,
        (Float64, Encoding::Float8) => Kind::Float8,
        (Decimal128(_, scale), Encoding::Numeric(limit)) => {
            Kind::Decimal { scale: i32::from(*scale), limit: *limit }
        }
        (Utf8, Encoding::Uuid) => Kind::UuidText,
        (Utf8, encoding) => Kind::Text(encoding),
        (Binary, Encoding::Uuid) => Kind::UuidBytes,
        (Binary, Encoding::Bytea) => Kind::Bytes,
        (Date32, Encoding::Date) => Kind::Date,
        (Timestamp(unit, _), Encoding::Timestamp) => Kind::Timestamp(*unit),
        (Time64(unit), Encoding::Time) => Kind::Time(*unit),
        (List(_), Encoding::List(items, element)) => {
            let items = Values::of(array.as_list::<i32>().values(), items)?;
            Kind::List(Box::new(items), *element)
        }
        (other, _) => return Err(Error::bug(format!("a column of {other} was not checked before"))),
    })
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), Bad> {
    const LONG: Bad = Bad::new("a value of 1 GB, which is more than the server takes");
    let length = i32::try_from(bytes.len()).ok().filter(|length| *length < 1 << 30).ok_or(LONG)?;
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes);
    Ok(())
}

fn put_whole(number: i128, encoding: &Encoding, out: &mut Vec<u8>) -> Result<(), Bad> {
    match encoding {
        Encoding::Int(2) => put(out, &i16::try_from(number).map_err(|_| OUT_OF_RANGE)?.to_be_bytes()),
        Encoding::Int(4) => put(out, &i32::try_from(number).map_err(|_| OUT_OF_RANGE)?.to_be_bytes()),
        Encoding::Int(_) => put(out, &i64::try_from(number).map_err(|_| OUT_OF_RANGE)?.to_be_bytes()),
        Encoding::Oid => put(out, &u32::try_from(number).map_err(|_| OUT_OF_RANGE)?.to_be_bytes()),
        Encoding::Float4 => match number as f32 {
            float if float as i128 == number => put(out, &float.to_be_bytes()),
            _ => Err(INEXACT),
        },
        Encoding::Float8 => match number as f64 {
            float if float as i128 == number => put(out, &float.to_be_bytes()),
            _ => Err(INEXACT),
        },
        Encoding::Numeric(limit) => put_decimal(number, 0, *limit, out),
        _ => Err(OUT_OF_RANGE),
    }
}

fn put_float4(number: f64, out: &mut Vec<u8>) -> Result<(), Bad> {
    let float = number as f32;
    match f64::from(float) == number || number.is_nan() {
        true => put(out, &float.to_be_bytes()),
        false => Err(INEXACT),
    }
}

fn put_decimal(units: i128, scale: i32, limit: Option<(i32, i32)>, out: &mut Vec<u8>) -> Result<(), Bad> {
    if let Some((precision, decimals)) = limit {
        if !numeric::is_multiple_of_power(units, scale - decimals) {
            return Err(INEXACT);
        }
        if !numeric::has_digits(units, precision - decimals + scale) {
            return Err(OUT_OF_RANGE);
        }
    }
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    numeric::put(units, scale.unsigned_abs(), out);
    let length = (out.len() - start - 4) as i32;
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
    Ok(())
}

fn put_text(text: &str, encoding: &Encoding, out: &mut Vec<u8>) -> Result<(), Bad> {
    const LONG: Bad = Bad {
        what: "a text that is longer than the column",
        help: Some("give the column a larger length, or the type text"),
    };
    const NUL: Bad = Bad {
        what: "a text with the character 0, which the server does not store",
        help: Some("remove it, or write the column as bytes into a bytea"),
    };
    if text.as_bytes().contains(&0) {
        return Err(NUL);
    }
    match encoding {
        Encoding::Text(Some(limit)) if is_longer(text, *limit as usize) => return Err(LONG),
        Encoding::Name if text.len() > NAME_BYTES => return Err(LONG),
        Encoding::Jsonb => {
            let length = i32::try_from(text.len() + 1).map_err(|_| LONG)?;
            out.extend_from_slice(&length.to_be_bytes());
            out.push(1);
            out.extend_from_slice(text.as_bytes());
            return Ok(());
        }
        _ => {}
    }
    put(out, text.as_bytes())
}

/// Whether the text has more characters than `limit`; most texts have not so many bytes.
fn is_longer(text: &str, limit: usize) -> bool {
    text.len() > limit && text.chars().count() > limit
}

fn put_uuid(text: &str, out: &mut Vec<u8>) -> Result<(), Bad> {
    let uuid = uuid::Uuid::try_parse(text).map_err(|_| Bad::new("a text that is no UUID"))?;
    put(out, uuid.as_bytes())
}

fn put_date(days: i32, out: &mut Vec<u8>) -> Result<(), Bad> {
    let days = days.checked_sub(DAYS_TO_2000).filter(|days| (FIRST_DAY..END_OF_DAYS).contains(days));
    put(out, &days.ok_or(BEYOND)?.to_be_bytes())
}

fn timestamp(array: &ArrayRef, unit: TimeUnit, row: usize) -> Result<i64, Bad> {
    match unit {
        TimeUnit::Second => {
            array.as_primitive::<TimestampSecondType>().value(row).checked_mul(1_000_000).ok_or(BEYOND)
        }
        TimeUnit::Millisecond => {
            array.as_primitive::<TimestampMillisecondType>().value(row).checked_mul(1000).ok_or(BEYOND)
        }
        TimeUnit::Microsecond => Ok(array.as_primitive::<TimestampMicrosecondType>().value(row)),
        TimeUnit::Nanosecond => micros(array.as_primitive::<TimestampNanosecondType>().value(row)),
    }
}

fn time(array: &ArrayRef, unit: TimeUnit, row: usize) -> Result<i64, Bad> {
    match unit {
        TimeUnit::Nanosecond => micros(array.as_primitive::<Time64NanosecondType>().value(row)),
        _ => Ok(array.as_primitive::<Time64MicrosecondType>().value(row)),
    }
}

fn micros(nanos: i64) -> Result<i64, Bad> {
    if nanos % 1000 == 0 { Ok(nanos / 1000) } else { Err(FINER) }
}

fn put_timestamp(micros: i64, out: &mut Vec<u8>) -> Result<(), Bad> {
    let micros = micros.checked_sub(MICROS_TO_2000);
    let micros = micros.filter(|micros| (FIRST_MICRO..END_OF_MICROS).contains(micros));
    put(out, &micros.ok_or(BEYOND)?.to_be_bytes())
}

fn put_time(micros: i64, out: &mut Vec<u8>) -> Result<(), Bad> {
    match (0..MICROS_IN_DAY).contains(&micros) {
        true => put(out, &micros.to_be_bytes()),
        false => Err(BEYOND),
    }
}

#[cfg(test)]
mod tests;
