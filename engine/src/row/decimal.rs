//! `Decimal<P, S>`: numbers with a fixed count of decimals, exact; the column is `Decimal128(P, S)`.
//!
//! A decimal is a whole number of units of 10^-S with at most P digits. Nothing rounds in silence: a
//! text with more decimals, a sum with more digits and a column of another precision or scale are
//! errors. How a column is cast from another precision is the sources' business.

use std::cmp::Ordering;
use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Neg, Sub};
use std::str::FromStr;

use arrow::array::{Array, PrimitiveArray};
use arrow::compute::{max, min};
use arrow::datatypes::{DataType, Decimal128Type};

use super::primitive::{Native, NumberReader, Numbers, signed};
use super::{IntoRow, Key, Row, mix};
use crate::error::{Error, Result};

/// An exact number of at most `P` digits (1 to 38), of which `S` are decimals (0 to `P`).
///
/// ```
/// # fn main() -> kiln::Result<()> {
/// use kiln::Decimal;
///
/// let cx = kiln::Context::local(1);
/// let prices = cx.parallelize(["19.99", "0.01"].map(|text| (1_u8, text.to_owned())));
/// let totals = prices
///     .map_values(|text| text.parse::<Decimal<10, 2>>().unwrap_or_default())
///     .reduce_by_key(|a, b| a + b);
/// assert_eq!(totals.collect()?[0].1.to_string(), "20.00");
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Decimal<const P: u8, const S: i8>(i128);

impl<const P: u8, const S: i8> Decimal<P, S> {
    const LIMIT: i128 = {
        assert!(P >= 1 && P <= 38, "a `Decimal` has 1 to 38 digits");
        assert!(S >= 0 && S as u8 <= P, "a `Decimal` has 0 to as many decimals as digits");
        10_i128.pow(P as u32)
    };
    /// Units in 1.
    const ONE: i128 = 10_i128.pow(S as u32);

    /// The decimal of so many units of 10^-S: 1999 for 19.99 with two decimals.
    ///
    /// # Errors
    /// Of class data when that are more than `P` digits.
    pub fn from_units(units: i128) -> Result<Self> {
        if Self::holds(units) {
            return Ok(Decimal(units));
        }
        Err(Error::data(format!("a decimal of {units} units has more than {P} digits")))
    }

    /// How many units of 10^-S it is.
    #[inline]
    pub fn units(self) -> i128 {
        self.0
    }

    /// The sum, unless it has more than `P` digits.
    #[inline]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        // Two numbers of 38 digits are far from overflowing an `i128` in one sum.
        Some(self.0 + other.0).filter(|units| Self::holds(*units)).map(Decimal)
    }

    /// The difference, unless it has more than `P` digits.
    #[inline]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.checked_add(-other)
    }

    /// The nearest float.
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / Self::ONE as f64
    }

    #[inline]
    fn holds(units: i128) -> bool {
        units > -Self::LIMIT && units < Self::LIMIT
    }
}

/// # Panics
/// When the sum has more than `P` digits; `checked_add` does not.
impl<const P: u8, const S: i8> Add for Decimal<P, S> {
    type Output = Self;
    #[inline]
    fn add(self, other: Self) -> Self {
        self.checked_add(other).unwrap_or_else(|| panic!("{self} + {other} has more than {P} digits"))
    }
}

/// # Panics
/// When the difference has more than `P` digits; `checked_sub` does not.
impl<const P: u8, const S: i8> Sub for Decimal<P, S> {
    type Output = Self;
    #[inline]
    fn sub(self, other: Self) -> Self {
        self.checked_sub(other).unwrap_or_else(|| panic!("{self} - {other} has more than {P} digits"))
    }
}

impl<const P: u8, const S: i8> Neg for Decimal<P, S> {
    type Output = Self;
    #[inline]
    fn neg(self) -> Self {
        Decimal(-self.0)
    }
}

/// # Panics
/// When a sum on the way has more than `P` digits.
impl<const P: u8, const S: i8> Sum for Decimal<P, S> {
    fn sum<I: Iterator<Item = Self>>(decimals: I) -> Self {
        decimals.fold(Decimal(0), Add::add)
    }
}

/// Digits with a point and a sign where wanted, as in `-12.5`; without an exponent.
impl<const P: u8, const S: i8> FromStr for Decimal<P, S> {
    type Err = Error;

    /// # Errors
    /// Of class data for any other text, for more than `P` digits, and for decimals behind the `S`th
    /// other than 0.
    fn from_str(text: &str) -> Result<Self> {
        let wrong = |why: &str| Error::data(format!("`{text}` is no decimal({P}, {S}): {why}"));
        let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        let (part, beyond) = part.split_at_checked(S as usize).unwrap_or((part, ""));
        let is_number = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if whole.len() + part.len() == 0 || !(is_number(whole) && is_number(part) && is_number(beyond)) {
            return Err(wrong("it is not written in digits and one point"));
        }
        if beyond.bytes().any(|b| b != b'0') {
            return Err(wrong("it has more decimals").help("round it before, or take a larger scale"));
        }
        let mut digits =
            whole.bytes().chain(part.bytes()).chain(std::iter::repeat_n(b'0', S as usize - part.len()));
        let units = digits
            .try_fold(0_i128, |units, digit| units.checked_mul(10)?.checked_add(i128::from(digit - b'0')));
        match units.filter(|units| Self::holds(*units)) {
            Some(units) if text.starts_with('-') => Ok(Decimal(-units)),
            Some(units) => Ok(Decimal(units)),
            None => Err(wrong("it has more digits")),
        }
    }
}

impl<const P: u8, const S: i8> fmt::Display for Decimal<P, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (units, decimals) = (self.0.unsigned_abs(), S as usize);
        let one = Self::ONE.unsigned_abs();
        let text = match decimals {
            0 => units.to_string(),
            _ => format!("{}.{:0decimals$}", units / one, units % one),
        };
        f.pad_integral(self.0 >= 0, "", &text)
    }
}

impl<const P: u8, const S: i8> Row for Decimal<P, S> {
    type View<'a> = Self;
    type Builder = Numbers<Self>;
    type Reader = NumberReader<Self>;
    #[inline]
    fn own(view: Self) -> Self {
        view
    }
    #[inline]
    fn view(&self) -> Self {
        *self
    }
    #[inline]
    fn narrow<'short, 'long: 'short>(view: Self) -> Self {
        view
    }
    fn data_type() -> DataType {
        DataType::Decimal128(P, S)
    }
}

impl<const P: u8, const S: i8> IntoRow for Decimal<P, S> {
    type Row = Self;
    #[inline]
    fn as_view(&self) -> Self {
        *self
    }
}

impl<const P: u8, const S: i8> Native for Decimal<P, S> {
    type Arrow = Decimal128Type;
    #[inline]
    fn to_arrow(self) -> i128 {
        self.0
    }
    #[inline]
    fn from_arrow(units: i128) -> Self {
        Decimal(units)
    }
    fn check(column: &PrimitiveArray<Decimal128Type>) -> Result<()> {
        if *column.data_type() != Self::data_type() {
            let (found, expected) = (column.data_type(), Self::data_type());
            return Err(Error::data(format!("a column has the type {found}, expected {expected}")));
        }
        // Arrow does not hold a column to its precision.
        [min(column), max(column)]
            .into_iter()
            .flatten()
            .try_for_each(|units| Self::from_units(units).map(drop))
    }
}

impl<const P: u8, const S: i8> Key for Decimal<P, S> {
    type Slot = Self;
    type Arena = ();
    #[inline]
    fn hash(view: Self) -> u64 {
        let high = mix((view.0 >> 64) as u64, 0x5899_65cc_7537_4cc3);
        mix(high ^ view.0 as u64, 0xa076_1d64_78bd_642f)
    }
    #[inline]
    fn same(a: Self, b: Self) -> bool {
        a == b
    }
    #[inline]
    fn compare(a: Self, b: Self) -> Ordering {
        a.cmp(&b)
    }
    #[inline]
    fn store(view: Self, _: &mut ()) -> Self {
        view
    }
    #[inline]
    fn load<'a>(slot: &'a Self, _: &'a ()) -> Self {
        *slot
    }
    fn arena_bytes(_: &()) -> usize {
        0
    }
    #[inline]
    fn prefix(view: Self) -> u64 {
        signed((view.0 >> 64) as i64)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Decimal128Array};

    use super::*;
    use crate::row::ColumnReader;

    type Money = Decimal<5, 2>;

    #[test]
    fn a_decimal_is_printed_as_it_is_read() {
        for text in ["0.00", "19.99", "-0.07", "999.99", "-999.99"] {
            assert_eq!(text.parse::<Money>().unwrap().to_string(), text);
        }
        for (text, printed) in [("7", "7.00"), ("+.5", "0.50"), ("1.", "1.00"), ("1.5000", "1.50")] {
            assert_eq!(text.parse::<Money>().unwrap().to_string(), printed);
        }
        let largest = "9".repeat(38);
        assert_eq!(largest.parse::<Decimal<38, 0>>().unwrap().to_string(), largest);
    }

    #[test]
    fn a_text_that_would_have_to_be_rounded_or_cut_is_refused() {
        for text in ["", "-", ".", "1,5", "1e3", "0.005", "1000", "--1", "1.é", "１", &"9".repeat(60)] {
            assert!(text.parse::<Money>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_sum_of_too_many_digits_is_none() {
        let most = Money::from_units(99_999).unwrap();
        let cent = Money::from_units(1).unwrap();
        assert_eq!((most.checked_add(cent), (-most).checked_sub(cent)), (None, None));
        assert_eq!([most, -cent].into_iter().sum::<Money>().units(), 99_998);
        assert!(std::panic::catch_unwind(|| most + cent).is_err());
    }

    #[test]
    fn a_column_of_another_scale_or_with_more_digits_is_refused() {
        let column = |units, scale| -> ArrayRef {
            Arc::new(Decimal128Array::from(vec![units]).with_precision_and_scale(5, scale).unwrap())
        };
        assert!(NumberReader::<Money>::open(&column(7, 2)).is_ok());
        assert!(NumberReader::<Money>::open(&column(7, 3)).is_err());
        assert!(NumberReader::<Money>::open(&column(100_000, 2)).is_err());
    }
}
