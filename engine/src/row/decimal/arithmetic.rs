//! Exact arithmetic on decimals: sums and whole multiples, which have the scale of their operands.
//!
//! Products and quotients of decimals are in `rounding`, where the caller chooses the scale of the
//! result.

use std::iter::Sum;
use std::ops::{Add, Mul, Neg, Sub};

use super::Decimal;

impl<const P: u8, const S: i8> Decimal<P, S> {
    /// The sum, or `None` if it has more than `P` digits.
    #[inline]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        // Two numbers of 38 digits can have a sum that an `i128` does not hold.
        self.0.checked_add(other.0).and_then(Decimal::of_units)
    }

    /// The difference, or `None` if it has more than `P` digits.
    #[inline]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.checked_add(-other)
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

/// The decimal times a whole number, with the same scale: a price times a quantity.
///
/// # Panics
/// When the product has more than `P` digits; `checked_mul` does not.
impl<const P: u8, const S: i8> Mul<i64> for Decimal<P, S> {
    type Output = Self;
    #[inline]
    fn mul(self, times: i64) -> Self {
        let product = self.0.checked_mul(i128::from(times)).and_then(Self::of_units);
        product.unwrap_or_else(|| panic!("{self} * {times} has more than {P} digits"))
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
/// When an intermediate sum has more than `P` digits.
impl<const P: u8, const S: i8> Sum for Decimal<P, S> {
    fn sum<I: Iterator<Item = Self>>(decimals: I) -> Self {
        decimals.fold(Decimal(0), Add::add)
    }
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    type Money = Decimal<5, 2>;

    #[test]
    fn a_sum_of_too_many_digits_is_none() {
        let most = Money::from_units(99_999).unwrap();
        let cent = Money::from_units(1).unwrap();
        assert_eq!((most.checked_add(cent), (-most).checked_sub(cent)), (None, None));
        assert_eq!([most, -cent].into_iter().sum::<Money>().units(), 99_998);
        assert!(catch_unwind(|| most + cent).is_err());
        // More than an `i128` holds.
        let longest: Decimal<38, 0> = "9".repeat(38).parse().unwrap();
        assert_eq!((longest.checked_add(longest), (-longest).checked_sub(longest)), (None, None));
    }

    #[test]
    fn a_multiple_of_too_many_digits_panics() {
        let price: Money = "-10.01".parse().unwrap();
        assert_eq!((price * 99).to_string(), "-990.99");
        assert!(catch_unwind(|| price * 100).is_err());
        assert!(catch_unwind(|| price * i64::MIN).is_err());
    }
}
