//! Dates and timestamps of `chrono`: days and microseconds in Arrow, checked when a column is opened.
//!
//! | Rust | Arrow | meaning |
//! |---|---|---|
//! | `NaiveDate` | `Date32` | days since 1970-01-01 |
//! | `NaiveDateTime` | `Timestamp(Microsecond)` | local time without a zone |
//! | `DateTime<Utc>` | `Timestamp(Microsecond, "UTC")` | an instant |
//!
//! Every value of chrono fits the Arrow columns, but not the other way round: Arrow has years for which
//! chrono has no date. Opening a column with such a value fails with a data error before any row is
//! read. Columns hold whole microseconds. Finer fractions are cut off (and a leap second becomes the
//! following second) when a row crosses a stage boundary; keys are compared as if they had been cut off
//! already.
//!
//! A column has one time zone, so `DateTime<FixedOffset>` is not a row type: call `to_utc()`, and keep
//! the offset in another field if it matters. A column of any zone can be read as `DateTime<Utc>`,
//! because Arrow counts instants in UTC whatever the zone.

use std::cmp::Ordering;

use arrow::array::{Array, PrimitiveArray};
use arrow::compute::{max, min};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, TimeUnit, TimestampMicrosecondType as Micros,
};
use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, Utc};

use super::primitive::{Native, NumberReader, Numbers, key, signed, value};
use super::{Key, Required, Row, mix};
use crate::error::{Error, Result};

value!(NaiveDate, DataType::Date32);
key!(NaiveDate, |v| v.to_arrow() as u64, |v| signed(v.to_arrow().into()), Ord::cmp);

impl Native for NaiveDate {
    type Arrow = Date32Type;
    #[inline]
    fn to_arrow(self) -> i32 {
        self.signed_duration_since(NaiveDate::default()).num_days() as i32
    }
    #[inline]
    fn from_arrow(days: i32) -> NaiveDate {
        date(days).expect("the column was checked when it was opened")
    }
    fn check(column: &PrimitiveArray<Date32Type>) -> Result<()> {
        check_range(column, "day", |days| date(days).is_some())
    }
}

/// The date that is `days` after 1970-01-01, which is chrono's default.
#[inline]
fn date(days: i32) -> Option<NaiveDate> {
    NaiveDate::default().checked_add_signed(TimeDelta::try_days(days.into())?)
}

value!(NaiveDateTime, DataType::Timestamp(TimeUnit::Microsecond, None));
key!(NaiveDateTime, |v| v.to_arrow() as u64, |v| signed(v.to_arrow()), by_micros);

impl Native for NaiveDateTime {
    type Arrow = Micros;
    #[inline]
    fn to_arrow(self) -> i64 {
        self.and_utc().timestamp_micros()
    }
    #[inline]
    fn from_arrow(micros: i64) -> NaiveDateTime {
        DateTime::<Utc>::from_arrow(micros).naive_utc()
    }
    fn check(column: &PrimitiveArray<Micros>) -> Result<()> {
        check_zone::<Self>(column, |zone| zone.is_none())?;
        check_micros(column)
    }
}

value!(DateTime<Utc>, DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())));
key!(DateTime<Utc>, |v| v.to_arrow() as u64, |v| signed(v.to_arrow()), by_micros);

impl Native for DateTime<Utc> {
    type Arrow = Micros;
    #[inline]
    fn to_arrow(self) -> i64 {
        self.timestamp_micros()
    }
    #[inline]
    fn from_arrow(micros: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(micros).expect("the column was checked when it was opened")
    }
    fn check(column: &PrimitiveArray<Micros>) -> Result<()> {
        check_zone::<Self>(column, |zone| zone.is_some())?;
        check_micros(column)
    }
}

#[inline]
fn by_micros<T: Native<Arrow = Micros>>(a: &T, b: &T) -> Ordering {
    a.to_arrow().cmp(&b.to_arrow())
}

fn check_micros(column: &PrimitiveArray<Micros>) -> Result<()> {
    check_range(column, "microsecond", |micros| DateTime::from_timestamp_micros(micros).is_some())
}

/// Rejects local timestamps where instants are expected, and the reverse.
fn check_zone<T: Row>(column: &PrimitiveArray<Micros>, fits: impl Fn(Option<&str>) -> bool) -> Result<()> {
    match column.data_type() {
        DataType::Timestamp(_, zone) if fits(zone.as_deref()) => Ok(()),
        found => Err(Error::data(format!("a column has the type {found}, expected {}", T::data_type()))
            .help("a timestamp with a zone is a `DateTime<Utc>`, one without is a `NaiveDateTime`")),
    }
}

/// Rejects a column whose minimum or maximum is out of range, which covers all values between them.
fn check_range<A: ArrowPrimitiveType<Native: std::fmt::Display>>(
    column: &PrimitiveArray<A>,
    unit: &str,
    fits: impl Fn(A::Native) -> bool,
) -> Result<()> {
    match [min(column), max(column)].into_iter().flatten().find(|value| !fits(*value)) {
        Some(value) => Err(Error::data(format!("{unit} {value} since 1970 is no date that can be held"))
            .help("dates lie within 262,000 years of the year 0")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Date32Array, TimestampMicrosecondArray};

    use super::*;
    use crate::error::Class;
    use crate::row::{ColumnBuilder, ColumnReader};

    fn round_trip<T: Row + Copy>(rows: &[T]) -> Vec<T> {
        let mut builder = T::Builder::default();
        rows.iter().for_each(|row| builder.push(row.view()));
        let reader = T::Reader::open(&builder.finish()).unwrap();
        (0..rows.len()).map(|i| T::own(reader.get(i))).collect()
    }

    #[test]
    fn the_first_and_the_last_date_come_back() {
        let days = [NaiveDate::MIN, NaiveDate::default(), NaiveDate::MAX];
        assert_eq!(round_trip(&days), days);
        let micros = |at: NaiveDateTime| {
            at - TimeDelta::nanoseconds(i64::from(at.and_utc().timestamp_subsec_nanos() % 1000))
        };
        let times = [NaiveDateTime::MIN, NaiveDateTime::default(), micros(NaiveDateTime::MAX)];
        assert_eq!(round_trip(&times), times);
        assert_eq!(round_trip(&times.map(|t| t.and_utc())), times.map(|t| t.and_utc()));
    }

    #[test]
    fn parts_of_microseconds_are_cut_off_and_are_no_part_of_a_key() {
        let whole = DateTime::from_timestamp_micros(-7).unwrap();
        let fine = whole + TimeDelta::nanoseconds(999);
        assert_eq!(round_trip(&[fine]), [whole]);
        assert!(DateTime::same(whole, fine) && <DateTime<Utc>>::hash(whole) == <DateTime<Utc>>::hash(fine));
    }

    #[test]
    fn a_column_of_days_or_times_beyond_all_dates_is_refused() {
        let days: ArrayRef = Arc::new(Date32Array::from(vec![0, i32::MAX]));
        let error = NumberReader::<NaiveDate>::open(&days).err().unwrap();
        assert_eq!(
            (error.class(), error.message()),
            (Class::Data, "day 2147483647 since 1970 is no date that can be held")
        );
        let times: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![i64::MIN]));
        let error = NumberReader::<NaiveDateTime>::open(&times).err().unwrap();
        assert_eq!(error.class(), Class::Data);
    }

    #[test]
    fn instants_of_any_zone_are_read_but_a_clocks_time_is_none() {
        let clock = TimestampMicrosecondArray::from(vec![7]);
        let berlin: ArrayRef = Arc::new(clock.clone().with_timezone("Europe/Berlin"));
        let reader = NumberReader::<DateTime<Utc>>::open(&berlin).unwrap();
        assert_eq!(reader.get(0).timestamp_micros(), 7);
        assert!(NumberReader::<DateTime<Utc>>::open(&(Arc::new(clock) as ArrayRef)).is_err());
        assert!(NumberReader::<NaiveDateTime>::open(&berlin).is_err());
    }
}
