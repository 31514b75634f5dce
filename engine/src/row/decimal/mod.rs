//! `Decimal<P, S>`: exact fixed-point numbers; the column is `Decimal128(P, S)`.
//!
//! A decimal is a whole number of units of 10^-S with at most P digits. Nothing is rounded silently: a
//! text with more decimals, a sum with more digits and a column of another precision or scale are
//! errors, and the caller of a multiplication names the scale of the product. The sources cast columns
//! of another precision.

mod arithmetic;
mod rounding;
mod text;

pub(crate) use text::parse_units;

use std::cmp::Ordering;

use arrow::array::{Array, PrimitiveArray};
use arrow::compute::{max, min};
use arrow::datatypes::{DataType, Decimal128Type};

use super::primitive::{Native, NumberReader, Numbers, own_view, signed};
use super::{IntoRow, Key, Required, Row, mix};
use crate::error::{Error, Result};

/// An exact number of at most `P` digits (1 to 38), of which `S` (0 to `P`) are after the point.
///
/// It is parsed from text and printed without loss. Sums and whole multiples (`+`, `-`, `*` with an
/// `i64`) have the type of their operands; the caller names the type of a product or quotient:
/// [`checked_mul`](Decimal::checked_mul), [`checked_div`](Decimal::checked_div). It serializes with
/// serde as text.
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
    /// Number of units in 1.
    const ONE: i128 = 10_i128.pow(S as u32);

    /// The decimal of `units` units of 10^-S: 1999 is 19.99 with two decimals.
    ///
    /// # Errors
    /// Fails with a data error when `units` has more than `P` digits.
    pub fn from_units(units: i128) -> Result<Self> {
        let too_long = || Error::data(format!("a decimal of {units} units has more than {P} digits"));
        Self::of_units(units).ok_or_else(too_long)
    }

    /// The number of units of 10^-S.
    #[inline]
    pub fn units(self) -> i128 {
        self.0
    }

    /// The value as a float: the nearest one up to 2^53 units and 22 decimals, else with a rounding error of
    /// a few units in the last place.
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / Self::ONE as f64
    }

    #[inline]
    fn of_units(units: i128) -> Option<Self> {
        let holds = units > -Self::LIMIT && units < Self::LIMIT;
        holds.then_some(Decimal(units))
    }
}

impl<const P: u8, const S: i8> Row for Decimal<P, S> {
    own_view!();
    type Builder = Numbers<Self>;
    type Reader = NumberReader<Self>;
    type Nullability = Required;
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
        // Arrow does not check that the values of a column fit its precision.
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
    fn a_column_of_another_scale_or_with_more_digits_is_refused() {
        let column = |units, scale| -> ArrayRef {
            Arc::new(Decimal128Array::from(vec![units]).with_precision_and_scale(5, scale).unwrap())
        };
        assert!(NumberReader::<Money>::open(&column(7, 2)).is_ok());
        assert!(NumberReader::<Money>::open(&column(7, 3)).is_err());
        assert!(NumberReader::<Money>::open(&column(100_000, 2)).is_err());
    }
}
