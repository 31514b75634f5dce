//! Record batches as the rows of an INSERT: values become literals that the server reads without loss.
//!
//! The server refuses most of what a column cannot hold, because the session is strict. What it would round, or cut, without
//! a word is refused here.

use std::fmt::Write;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int64Type, Time64MicrosecondType,
    TimeUnit, TimestampMicrosecondType, UInt64Type,
};
use kiln::chrono::{DateTime, NaiveDate, NaiveTime};
use kiln::{Error, Result};

use super::columns::{Column, Encoding};

/// Days from the year 1 to 1970.
const EPOCH_DAYS: i32 = 719_163;

/// Why a value cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bad {
    pub(super) what: &'static str,
    pub(super) help: &'static str,
}

const INEXACT: Bad = Bad {
    what: "a number that the column would round",
    help: "give the column more decimals, or round the value before it is written",
};
const FINER: Bad = Bad {
    what: "a time that is finer than the column, which would round it",
    help: "give the column more decimals, up to 6, or round the value before it is written",
};
const NOT_FINITE: Bad = Bad {
    what: "NaN or infinity, which the server does not have",
    help: "make it a null before it is written",
};
const NO_DATE: Bad = Bad {
    what: "a date before the year 0 or after 9999, which the server does not have",
    help: "leave it out by a filter",
};
const BLANKS: Bad = Bad {
    what: "text with blanks at its end, which a column char(n) does not keep",
    help: "give the column the type varchar",
};
const NOT_FILLED: Bad = Bad {
    what: "bytes of another length than the column binary(n), which would fill them up",
    help: "give the column the type varbinary",
};

/// A value that cannot be written: its column, and why.
#[derive(Debug)]
pub(super) struct BadValue {
    pub(super) column: usize,
    pub(super) bad: Bad,
}

/// The columns of a batch, in the few types that are written.
pub(super) struct Rows<'c> {
    arrays: Vec<ArrayRef>,
    columns: &'c [Column],
}

impl<'c> Rows<'c> {
    pub(super) fn of(batch: &RecordBatch, columns: &'c [Column]) -> Result<Rows<'c>> {
        let arrays = batch.columns().iter().zip(columns).map(|(array, column)| {
            let to = canonical(array.data_type());
            // What does not fit the other unit is an error, and no null.
            let options = CastOptions { safe: false, ..CastOptions::default() };
            let cast = cast_with_options(array, &to, &options);
            cast.map_err(|e| {
                Error::data("a value that the column cannot hold").because(e).at("column", &column.name)
            })
        });
        Ok(Rows { arrays: arrays.collect::<Result<_>>()?, columns })
    }

    /// Adds a row, `(1,'a',7)`, with the number of its part at its end.
    pub(super) fn put(&self, row: usize, part: i64, out: &mut String) -> Result<(), BadValue> {
        out.push('(');
        for (at, (array, column)) in self.arrays.iter().zip(self.columns).enumerate() {
            match array.is_null(row) {
                true => out.push_str("NULL"),
                false => put(array, row, column.encoding, out).map_err(|bad| BadValue { column: at, bad })?,
            }
            out.push(',');
        }
        // Writing to a text cannot fail.
        let _ = write!(out, "{part})");
        Ok(())
    }
}

/// The type in which values of `from` are written.
fn canonical(from: &DataType) -> DataType {
    use DataType::*;
    match from {
        Dictionary(_, values) => canonical(values),
        Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 => Int64,
        Float16 => Float32,
        Decimal32(p, s) | Decimal64(p, s) => Decimal128(*p, *s),
        LargeUtf8 | Utf8View => Utf8,
        LargeBinary | BinaryView | FixedSizeBinary(_) => Binary,
        Time32(_) | Time64(_) => Time64(TimeUnit::Nanosecond),
        Timestamp(_, _) if matches!(from, Timestamp(TimeUnit::Nanosecond, _)) => from.clone(),
        Timestamp(_, zone) => Timestamp(TimeUnit::Microsecond, zone.clone()),
        other => other.clone(),
    }
}

fn put(array: &ArrayRef, row: usize, encoding: Encoding, out: &mut String) -> Result<(), Bad> {
    use DataType::*;
    // Writing to a text cannot fail.
    let _ = match array.data_type() {
        Boolean => write!(out, "{}", u8::from(array.as_boolean().value(row))),
        Int64 => write!(out, "{}", array.as_primitive::<Int64Type>().value(row)),
        UInt64 => write!(out, "{}", array.as_primitive::<UInt64Type>().value(row)),
        Float32 => return float(f64::from(array.as_primitive::<Float32Type>().value(row)), out),
        Float64 => return float(array.as_primitive::<Float64Type>().value(row), out),
        Decimal128(_, scale) => {
            return decimal(array.as_primitive::<Decimal128Type>().value(row), *scale, encoding, out);
        }
        Utf8 => return text(array.as_string::<i32>().value(row), encoding, out),
        Binary => return bytes(array.as_binary::<i32>().value(row), encoding, out),
        Date32 => return date(array.as_primitive::<Date32Type>().value(row), out),
        Timestamp(TimeUnit::Nanosecond, _) => {
            let nanos = array.as_primitive::<arrow::datatypes::TimestampNanosecondType>().value(row);
            return timestamp(nanos.div_euclid(1000), nanos.rem_euclid(1000) != 0, encoding, out);
        }
        Timestamp(_, _) => {
            return timestamp(
                array.as_primitive::<TimestampMicrosecondType>().value(row),
                false,
                encoding,
                out,
            );
        }
        Time64(TimeUnit::Microsecond) => {
            return time(array.as_primitive::<Time64MicrosecondType>().value(row) * 1000, encoding, out);
        }
        Time64(_) => {
            let nanos = array.as_primitive::<arrow::datatypes::Time64NanosecondType>().value(row);
            return time(nanos, encoding, out);
        }
        // Of the type Null every value is null.
        _ => write!(out, "NULL"),
    };
    Ok(())
}

/// With an exponent it is a float, without one a decimal.
fn float(value: f64, out: &mut String) -> Result<(), Bad> {
    if !value.is_finite() {
        return Err(NOT_FINITE);
    }
    let _ = write!(out, "{value:e}");
    Ok(())
}

fn decimal(units: i128, scale: i8, encoding: Encoding, out: &mut String) -> Result<(), Bad> {
    let digits = units.unsigned_abs().to_string();
    let scale = usize::try_from(scale).map_err(|_| INEXACT)?;
    let digits = format!("{digits:0>width$}", width = scale + 1);
    let (whole, decimals) = digits.split_at(digits.len() - scale);
    if let Encoding::Decimal(most) = encoding
        && decimals.trim_end_matches('0').len() > usize::from(most)
    {
        return Err(INEXACT);
    }
    let _ = write!(out, "{}{whole}.{decimals}0", if units < 0 { "-" } else { "" });
    Ok(())
}

fn text(value: &str, encoding: Encoding, out: &mut String) -> Result<(), Bad> {
    match encoding {
        Encoding::Padded if value.ends_with(' ') => return Err(BLANKS),
        Encoding::Digits(most) => {
            let decimals = value.trim().split_once('.').map_or("", |(_, decimals)| decimals);
            if decimals.trim_end_matches('0').len() > usize::from(most) || value.contains(['e', 'E']) {
                return Err(INEXACT);
            }
        }
        _ => {}
    }
    out.push('\'');
    for c in value.chars() {
        match c {
            '\'' => out.push_str("''"),
            '\\' => out.push_str("\\\\"),
            '\0' => out.push_str("\\0"),
            c => out.push(c),
        }
    }
    out.push('\'');
    Ok(())
}

fn bytes(value: &[u8], encoding: Encoding, out: &mut String) -> Result<(), Bad> {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    if let Encoding::Fixed(length) = encoding
        && value.len() != length as usize
    {
        return Err(NOT_FILLED);
    }
    out.push_str("X'");
    for byte in value {
        out.push(DIGITS[usize::from(byte >> 4)].into());
        out.push(DIGITS[usize::from(byte & 15)].into());
    }
    out.push('\'');
    Ok(())
}

fn date(days: i32, out: &mut String) -> Result<(), Bad> {
    use kiln::chrono::Datelike;
    let date = days.checked_add(EPOCH_DAYS).and_then(NaiveDate::from_num_days_from_ce_opt).ok_or(NO_DATE)?;
    if !(0..=9999).contains(&date.year()) {
        return Err(NO_DATE);
    }
    let _ = write!(out, "'{}'", date.format("%Y-%m-%d"));
    Ok(())
}

fn timestamp(micros: i64, is_finer: bool, encoding: Encoding, out: &mut String) -> Result<(), Bad> {
    use kiln::chrono::Datelike;
    let Encoding::Timestamp(fraction) = encoding else { return Err(FINER) };
    let at = DateTime::from_timestamp_micros(micros).ok_or(NO_DATE)?;
    if !(0..=9999).contains(&at.year()) {
        return Err(NO_DATE);
    }
    if is_finer || micros.rem_euclid(10_i64.pow(6 - u32::from(fraction.min(6)))) != 0 {
        return Err(FINER);
    }
    let _ = write!(out, "'{}'", at.format("%Y-%m-%d %H:%M:%S%.6f"));
    Ok(())
}

fn time(nanos: i64, encoding: Encoding, out: &mut String) -> Result<(), Bad> {
    let Encoding::Time(fraction) = encoding else { return Err(FINER) };
    if nanos.rem_euclid(10_i64.pow(9 - u32::from(fraction.min(6)))) != 0 {
        return Err(FINER);
    }
    let (seconds, nanos) = (nanos.div_euclid(1_000_000_000), nanos.rem_euclid(1_000_000_000));
    let time = u32::try_from(seconds).ok();
    let time = time.and_then(|seconds| NaiveTime::from_num_seconds_from_midnight_opt(seconds, nanos as u32));
    let _ = write!(out, "'{}'", time.ok_or(FINER)?.format("%H:%M:%S%.6f"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(put: impl Fn(&mut String) -> Result<(), Bad>) -> Result<String, Bad> {
        let mut out = String::new();
        put(&mut out).map(|()| out)
    }

    #[test]
    fn values_are_literals_that_lose_nothing() {
        assert_eq!(done(|out| float(0.1, out)), Ok("1e-1".into()));
        assert_eq!(done(|out| decimal(-5, 2, Encoding::Decimal(2), out)), Ok("-0.050".into()));
        assert_eq!(done(|out| text("a'b\\c\0", Encoding::Text, out)), Ok("'a''b\\\\c\\0'".into()));
        assert_eq!(done(|out| bytes(&[0, 255], Encoding::Bytes, out)), Ok("X'00FF'".into()));
        assert_eq!(done(|out| date(-719_528, out)), Ok("'0000-01-01'".into()));
        let at = done(|out| timestamp(-1, false, Encoding::Timestamp(6), out));
        assert_eq!(at, Ok("'1969-12-31 23:59:59.999999'".into()));
        assert_eq!(done(|out| time(1_000, Encoding::Time(6), out)), Ok("'00:00:00.000001'".into()));
    }

    #[test]
    fn what_the_server_would_round_or_cut_is_refused() {
        assert_eq!(done(|out| float(f64::NAN, out)), Err(NOT_FINITE));
        assert_eq!(done(|out| decimal(125, 2, Encoding::Decimal(1), out)), Err(INEXACT));
        assert_eq!(done(|out| decimal(120, 2, Encoding::Decimal(1), out)), Ok("1.200".into()));
        assert_eq!(done(|out| text("a ", Encoding::Padded, out)), Err(BLANKS));
        assert_eq!(done(|out| text("1.25", Encoding::Digits(1), out)), Err(INEXACT));
        assert_eq!(done(|out| bytes(&[1], Encoding::Fixed(2), out)), Err(NOT_FILLED));
        assert_eq!(done(|out| timestamp(1, false, Encoding::Timestamp(3), out)), Err(FINER));
        assert_eq!(done(|out| timestamp(0, true, Encoding::Timestamp(6), out)), Err(FINER));
        assert_eq!(done(|out| date(i32::MAX, out)), Err(NO_DATE));
    }
}
