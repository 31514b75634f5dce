//! The numbers that can be summed, and how: exact for integers, in the order of the rows for floats.

use serde::{Serialize, de::DeserializeOwned};

use crate::error::{Error, Result};
use crate::row::{Decimal, Row};

/// A number that [`sum`](crate::Dataset::sum), [`mean`](crate::Dataset::mean),
/// [`stats`](crate::Dataset::stats) and [`approx_quantiles`](crate::Dataset::approx_quantiles) can take:
/// integers of up to 64 bits, `f32` and `f64`, decimals.
///
/// Integers are added in 128 bits, in which no sum of rows overflows; floats as `f64`; decimals exactly.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a number that can be summed or ranked",
    note = "`map` the rows to a number first; `fold` and `aggregate` take every type of row"
)]
pub trait Number: Row + Copy {
    /// The type of a sum: `i64`, `u64`, `f64`, or `Decimal<38, S>` of decimals with that scale.
    type Sum;
    /// The type in which rows are added.
    #[doc(hidden)]
    type Total: Serialize + DeserializeOwned + Default + Send;

    /// `total` and this number.
    #[doc(hidden)]
    fn add_to(self, total: Self::Total) -> Self::Total;

    /// Two totals, the one of the earlier rows first.
    #[doc(hidden)]
    fn join(a: Self::Total, b: Self::Total) -> Self::Total;

    /// The total as the type of a sum.
    #[doc(hidden)]
    fn to_sum(total: Self::Total) -> Result<Self::Sum>;

    /// The total as a float, rounded.
    #[doc(hidden)]
    fn to_float(total: Self::Total) -> f64;

    /// This number as a float, rounded.
    #[doc(hidden)]
    #[inline]
    fn float(self) -> f64 {
        Self::to_float(self.add_to(Self::Total::default()))
    }
}

macro_rules! integers { ($($t:ty, $sum:ty, $total:ty);*) => {$(
    impl Number for $t {
        type Sum = $sum;
        type Total = $total;
        #[inline]
        fn add_to(self, total: $total) -> $total {
            total + self as $total
        }
        fn join(a: $total, b: $total) -> $total {
            a + b
        }
        fn to_sum(total: $total) -> Result<$sum> {
            let overflow = |_| {
                let text = format!("the sum {total} does not fit {}", stringify!($sum));
                Error::data(text).help("map the rows to f64 first, or fold them into smaller parts")
            };
            <$sum>::try_from(total).map_err(overflow)
        }
        fn to_float(total: $total) -> f64 {
            total as f64
        }
    }
)*}; }

macro_rules! floats { ($($t:ty),*) => {$(
    impl Number for $t {
        type Sum = f64;
        type Total = f64;
        #[inline]
        fn add_to(self, total: f64) -> f64 {
            total + f64::from(self)
        }
        fn join(a: f64, b: f64) -> f64 {
            a + b
        }
        fn to_sum(total: f64) -> Result<f64> {
            Ok(total)
        }
        fn to_float(total: f64) -> f64 {
            total
        }
    }
)*}; }

integers!(u8, u64, u128; u16, u64, u128; u32, u64, u128; u64, u64, u128; usize, u64, u128;
          i8, i64, i128; i16, i64, i128; i32, i64, i128; i64, i64, i128; isize, i64, i128);
floats!(f32, f64);

/// Units of decimals, or none once they were more than 128 bits hold.
#[derive(Serialize, serde::Deserialize)]
pub struct Units(Option<i128>);

impl Default for Units {
    fn default() -> Self {
        Units(Some(0))
    }
}

impl<const P: u8, const S: i8> Number for Decimal<P, S> {
    type Sum = Decimal<38, S>;
    type Total = Units;
    #[inline]
    fn add_to(self, total: Units) -> Units {
        Units(total.0.and_then(|total| total.checked_add(self.units())))
    }
    fn join(a: Units, b: Units) -> Units {
        Units(a.0.zip(b.0).and_then(|(a, b)| a.checked_add(b)))
    }
    fn to_sum(total: Units) -> Result<Decimal<38, S>> {
        let too_long = || {
            let error = Error::data("the sum of decimals has more than 38 digits");
            error.help("map the rows to f64 first, or to fewer decimals by `rescale`")
        };
        total.0.and_then(|units| Decimal::from_units(units).ok()).ok_or_else(too_long)
    }
    fn to_float(total: Units) -> f64 {
        total.0.map_or(f64::NAN, |units| units as f64 / 10_f64.powi(S.into()))
    }
    #[inline]
    fn float(self) -> f64 {
        self.to_f64()
    }
}
