//! Parses decimals, dates and timestamps in text files: exactly, or not at all.
//!
//! The parsers of `arrow` are not used, because they truncate what does not fit: decimals beyond the scale,
//! fractions of a microsecond, the time after a date. They also read a time without a zone as UTC, and the
//! other way round, which no other format here does.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::timezone::Tz;
use arrow::array::{Array, ArrayRef, Date32Array, Decimal128Array, StringArray, TimestampMicrosecondArray};
use arrow::compute::kernels::cast_utils::Parser;
use arrow::datatypes::{DataType, Date32Type, TimeUnit};
use chrono::{NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeDelta, TimeZone};

use crate::error::{Error, Result};
use crate::row::parse_units;

/// The digits of a timestamp's fraction of a second.
const FRACTION_DIGITS: usize = 6;

/// Whether columns of this type are parsed by the rules of this file.
pub(super) fn is_spelled(data_type: &DataType) -> bool {
    use DataType::{Date32, Decimal128, Timestamp};
    matches!(data_type, Decimal128(..) | Date32 | Timestamp(TimeUnit::Microsecond, _))
}

/// Parses `texts` as a column of the type `to`, for which [`is_spelled`] must be true.
///
/// # Errors
/// Of class data, with the index of the first text that cannot be parsed.
pub(super) fn read_spelled(texts: &StringArray, to: &DataType) -> Result<ArrayRef, (usize, Error)> {
    let nulls = texts.nulls().cloned();
    Ok(match to {
        DataType::Decimal128(precision, scale) => {
            let units = values(texts, |text| parse_units(text, *precision, *scale))?;
            Arc::new(Decimal128Array::new(units.into(), nulls).with_data_type(to.clone()))
        }
        DataType::Date32 => {
            let days =
                values(texts, |text| whole_date(text).ok_or_else(|| no(text, to, "a date")).map(days))?;
            Arc::new(Date32Array::new(days.into(), nulls))
        }
        _ => {
            let has_zone = matches!(to, DataType::Timestamp(_, Some(_)));
            let micros = values(texts, |text| micros(text, to, has_zone))?;
            Arc::new(TimestampMicrosecondArray::new(micros.into(), nulls).with_data_type(to.clone()))
        }
    })
}

/// Parses each text; a null yields a zero.
fn values<V: Default>(
    texts: &StringArray,
    parse: impl Fn(&str) -> Result<V>,
) -> Result<Vec<V>, (usize, Error)> {
    let value = |at| if texts.is_null(at) { Ok(V::default()) } else { parse(texts.value(at)) };
    (0..texts.len()).map(|at| value(at).map_err(|error| (at, error))).collect()
}

fn no(text: &str, to: &DataType, expected: &str) -> Error {
    Error::data(format!("`{text}` is no {to}: it is not written as {expected}"))
}

fn days(date: NaiveDate) -> i32 {
    date.signed_duration_since(NaiveDate::default()).num_days() as i32
}

/// Parses a date; midnight after the date loses nothing, so it is accepted.
fn whole_date(text: &str) -> Option<NaiveDate> {
    match split(text) {
        (date, None) => self::date(date),
        (date, Some(clock)) => match self::clock(clock)? {
            (time, "") if time == TimeDelta::zero() => self::date(date),
            _ => None,
        },
    }
}

/// Splits a timestamp into the date and the text after it.
fn split(text: &str) -> (&str, Option<&str>) {
    match text.split_once(['T', 't', ' ']) {
        Some((date, clock)) => (date, Some(clock)),
        None => (text, None),
    }
}

/// `2026-11-21`; years of more than four digits have a sign.
fn date(text: &str) -> Option<NaiveDate> {
    let days = Date32Type::parse(text)?;
    NaiveDate::default().checked_add_signed(TimeDelta::try_days(days.into())?)
}

/// The microseconds since 1970 of `2026-11-21T12:30:00.5` or `2026-11-21`, followed by a zone if `to` has
/// one.
fn micros(text: &str, to: &DataType, has_zone: bool) -> Result<i64> {
    let wrong = || no(text, to, "a date and a time, as in `2026-11-21T12:30:00`");
    let (day, clock_text) = split(text);
    let (time, zone) = match clock_text {
        Some(clock_text) => clock(clock_text).ok_or_else(wrong)?,
        None => (TimeDelta::zero(), ""),
    };
    if time.subsec_nanos() % 1000 != 0 {
        let error = Error::data(format!("`{text}` is no {to}: it is finer than a microsecond"));
        return Err(error.help("read it as a `String` and round it in `map`"));
    }
    let at = date(day).and_then(|day| day.and_time(NaiveTime::MIN).checked_add_signed(time));
    let at = at.ok_or_else(wrong)?;
    let at = match (zone, has_zone) {
        ("", false) => Some(at),
        (zone, true) if !zone.is_empty() => in_utc(at, zone),
        (_, true) => {
            return Err(Error::data(format!("`{text}` is no {to}: it has no zone")).help(
                "a timestamp without a zone is a `NaiveDateTime`; in `map`, `and_utc` makes it an instant",
            ));
        }
        (_, false) => {
            return Err(Error::data(format!("`{text}` is no {to}: it has a zone"))
                .help("a timestamp with a zone is a `DateTime<Utc>`"));
        }
    };
    at.map(|at| at.and_utc().timestamp_micros()).ok_or_else(wrong)
}

/// Converts the local time `at` in `zone` to UTC.
fn in_utc(at: NaiveDateTime, zone: &str) -> Option<NaiveDateTime> {
    if zone.eq_ignore_ascii_case("z") {
        return Some(at);
    }
    let zone: Tz = zone.parse().ok()?;
    let offset = zone.offset_from_local_datetime(&at).single()?.fix();
    at.checked_sub_offset(offset)
}

/// Parses `12:30:00`, `12:30:00.5` or `123000` as the time since midnight; also returns the zone after it.
///
/// A leap second is read as the following second, as columns do.
fn clock(text: &str) -> Option<(TimeDelta, &str)> {
    let number = |range: Range<usize>| {
        let digits = text.get(range)?;
        if digits.bytes().all(|b| b.is_ascii_digit()) { digits.parse::<i64>().ok() } else { None }
    };
    let has_colons = text.as_bytes().get(2) == Some(&b':');
    let (hour, minute, second, rest) = match has_colons {
        true if text.as_bytes().get(5) == Some(&b':') => (number(0..2)?, number(3..5)?, number(6..8)?, 8),
        true => return None,
        false => (number(0..2)?, number(2..4)?, number(4..6)?, 6),
    };
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (nanos, rest) = fraction(&text[rest..])?;
    let whole = TimeDelta::seconds(hour * 3600 + minute * 60 + second);
    Some((whole + TimeDelta::nanoseconds(nanos), rest.trim_start()))
}

/// The nanoseconds of `.5`, and the text after it. If further digits are not all zero, they count as one
/// nanosecond.
fn fraction(text: &str) -> Option<(i64, &str)> {
    let Some(digits) = text.strip_prefix('.') else { return Some((0, text)) };
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    let (digits, rest) = digits.split_at(end);
    if digits.is_empty() {
        return None;
    }
    let (held, beyond) = digits.split_at_checked(FRACTION_DIGITS).unwrap_or((digits, ""));
    let micros: i64 = format!("{held:0<FRACTION_DIGITS$}").parse().ok()?;
    Some((micros * 1000 + i64::from(beyond.bytes().any(|b| b != b'0')), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, to: &DataType) -> Result<String, String> {
        let read =
            read_spelled(&StringArray::from(vec![text]), to).map_err(|(_, e)| e.message().to_owned())?;
        Ok(arrow::util::display::array_value_to_string(&read, 0).unwrap())
    }

    #[test]
    fn a_timestamp_is_read_with_all_its_digits_and_only_with_the_zone_that_its_type_has() {
        let clock = DataType::Timestamp(TimeUnit::Microsecond, None);
        let instant = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        for (text, expected) in [
            ("2026-11-21T12:30:01", "2026-11-21T12:30:01"),
            ("2026-11-21 123001", "2026-11-21T12:30:01"),
            ("2026-11-21t12:30:01.5", "2026-11-21T12:30:01.500"),
            ("2026-11-21 12:30:01.000001000", "2026-11-21T12:30:01.000001"),
            ("2026-11-21", "2026-11-21T00:00:00"),
            ("+12026-11-21T23:59:60", "+12026-11-22T00:00:00"),
            ("-0044-03-15T00:00:00", "-0044-03-15T00:00:00"),
        ] {
            assert_eq!(read(text, &clock).as_deref(), Ok(expected));
            let error = read(text, &instant).unwrap_err();
            assert!(error.ends_with("it has no zone"), "{error}");
        }
        for (text, expected) in [
            ("2026-11-21T12:30:01Z", "2026-11-21T12:30:01Z"),
            ("2026-11-21T12:30:01.25+05:30", "2026-11-21T07:00:01.250Z"),
            ("2026-11-21 00:00:00 -08", "2026-11-21T08:00:00Z"),
        ] {
            assert_eq!(read(text, &instant).as_deref(), Ok(expected));
            let error = read(text, &clock).unwrap_err();
            assert!(error.ends_with("it has a zone"), "{error}");
        }
    }

    #[test]
    fn what_would_have_to_be_cut_or_guessed_is_refused() {
        let clock = DataType::Timestamp(TimeUnit::Microsecond, None);
        let error = read("2026-11-21T12:30:01.0000001", &clock).unwrap_err();
        assert!(error.ends_with("it is finer than a microsecond"), "{error}");
        for text in
            ["", "1700000000", "2026-11-21T", "2026-13-01T00:00:00", "2026-11-21T24:00:00", "21.11.2026"]
        {
            assert!(read(text, &clock).is_err(), "{text}");
        }
        for text in ["2026-11-21T12:00:00", "2026-11-21T00:00:00Z", "2026-02-30", "20547", "2026-11-21T"] {
            assert!(read(text, &DataType::Date32).is_err(), "{text}");
        }
        for text in ["12.345", "1e2", "99999"] {
            assert!(read(text, &DataType::Decimal128(4, 2)).is_err(), "{text}");
        }
    }

    #[test]
    fn a_date_may_stand_before_midnight_and_have_a_long_year() {
        for (text, expected) in [
            ("2026-11-21", "2026-11-21"),
            ("20261121", "2026-11-21"),
            ("2026-11-21 00:00:00", "2026-11-21"),
            ("+12026-11-21", "+12026-11-21"),
        ] {
            assert_eq!(read(text, &DataType::Date32).as_deref(), Ok(expected));
        }
    }
}
