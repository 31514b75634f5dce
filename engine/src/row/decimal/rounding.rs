//! Products, quotients and changes of scale of decimals: rounded once, to a type that the caller names.
//!
//! A product has more decimals than its factors and a quotient can have infinitely many, and stable
//! Rust cannot compute one const generic from others. So the caller names the type of the result,
//! unlike in Spark, and the result is `None` when it does not fit. The computation uses 256-bit
//! integers, which hold every product of two decimals, so nothing is rounded twice.

use arrow::datatypes::i256;

use super::Decimal;

impl<const P: u8, const S: i8> Decimal<P, S> {
    /// The product as a decimal of `P3` digits and `S3` decimals, or `None` if it has more digits.
    /// Digits after the `S3`th decimal are rounded, half a unit away from zero, as in SQL.
    ///
    /// `Decimal<P + P2, S + S2>` holds every product exactly.
    ///
    /// ```
    /// use kiln::Decimal;
    /// # fn main() -> kiln::Result<()> {
    /// let (price, rate): (Decimal<10, 2>, Decimal<5, 4>) = ("19.99".parse()?, "0.1950".parse()?);
    /// let tax: Option<Decimal<12, 2>> = price.checked_mul(rate);
    /// assert_eq!(tax, Some("3.90".parse()?)); // 3.898050
    /// # Ok(()) }
    /// ```
    #[inline]
    pub fn checked_mul<const P2: u8, const S2: i8, const P3: u8, const S3: i8>(
        self,
        other: Decimal<P2, S2>,
    ) -> Option<Decimal<P3, S3>> {
        let shift = i32::from(S3) - i32::from(S) - i32::from(S2);
        // Two numbers of 38 digits have a product of at most 76 digits, which fits.
        let product = i256::from_i128(self.0).wrapping_mul(i256::from_i128(other.0));
        Decimal::of_units(rounded(product, 1, shift)?)
    }

    /// The quotient as a decimal of `P3` digits and `S3` decimals, rounded as by
    /// [`checked_mul`](Decimal::checked_mul), or `None` if it has more digits or `other` is zero.
    ///
    /// ```
    /// use kiln::Decimal;
    /// # fn main() -> kiln::Result<()> {
    /// let (total, count): (Decimal<10, 2>, Decimal<3, 0>) = ("20.00".parse()?, "3".parse()?);
    /// let mean: Option<Decimal<12, 4>> = total.checked_div(count);
    /// assert_eq!(mean, Some("6.6667".parse()?));
    /// # Ok(()) }
    /// ```
    #[inline]
    pub fn checked_div<const P2: u8, const S2: i8, const P3: u8, const S3: i8>(
        self,
        other: Decimal<P2, S2>,
    ) -> Option<Decimal<P3, S3>> {
        let shift = i32::from(S3) + i32::from(S2) - i32::from(S);
        Decimal::of_units(rounded(i256::from_i128(self.0), other.0, shift)?)
    }

    /// The same number as a decimal of `P2` digits and `S2` decimals, rounded as by
    /// [`checked_mul`](Decimal::checked_mul), or `None` if it has more digits.
    ///
    /// ```
    /// use kiln::Decimal;
    /// # fn main() -> kiln::Result<()> {
    /// let exact: Decimal<10, 4> = "-12.3450".parse()?;
    /// assert_eq!(exact.rescale::<10, 2>(), Some("-12.35".parse()?));
    /// assert_eq!(exact.rescale::<3, 2>(), None);
    /// # Ok(()) }
    /// ```
    #[inline]
    pub fn rescale<const P2: u8, const S2: i8>(self) -> Option<Decimal<P2, S2>> {
        Decimal::of_units(rounded(i256::from_i128(self.0), 1, i32::from(S2) - i32::from(S))?)
    }
}

/// `number` · 10^`shift` / `divisor` to the nearest whole number, with ties away from zero. `None` for
/// a division by zero and when an `i128` cannot hold the result.
///
/// If `number` · 10^`shift` overflows 256 bits, it has more than 76 digits and the divisor at most 38, so
/// the result overflows, too.
fn rounded(number: i256, divisor: i128, shift: i32) -> Option<i128> {
    let (up, down) = (shift.max(0).unsigned_abs(), shift.min(0).unsigned_abs());
    let number = number.checked_mul(power_of_ten(up)?)?;
    let divisor = i256::from_i128(divisor).checked_mul(power_of_ten(down)?)?;
    let (quotient, rest) = (number.checked_div(divisor)?, number.checked_rem(divisor)?);
    let (rest, size) = (rest.wrapping_abs(), divisor.wrapping_abs());
    if rest < size.wrapping_sub(rest) {
        return quotient.to_i128();
    }
    let is_negative = number.is_negative() != divisor.is_negative();
    let away = if is_negative { i256::MINUS_ONE } else { i256::ONE };
    quotient.wrapping_add(away).to_i128()
}

fn power_of_ten(exponent: u32) -> Option<i256> {
    i256::from_i128(10).checked_pow(exponent)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::TestRunner;

    use super::*;

    type Money = Decimal<5, 2>;

    #[test]
    fn a_half_is_rounded_away_from_zero() {
        for (text, rounded) in [("0.05", "0.1"), ("-0.05", "-0.1"), ("0.04", "0.0"), ("-0.15", "-0.2")] {
            let number: Money = text.parse().unwrap();
            assert_eq!(number.rescale::<5, 1>().unwrap().to_string(), rounded);
        }
        let (one, eight): (Money, Money) = ("-1".parse().unwrap(), "8".parse().unwrap());
        let eighth: Option<Money> = one.checked_div(eight);
        assert_eq!(eighth.unwrap().to_string(), "-0.13");
    }

    #[test]
    fn a_result_of_too_many_digits_and_a_division_by_zero_are_none() {
        let (ten, zero): (Money, Money) = ("10".parse().unwrap(), Money::default());
        assert_eq!(ten.checked_mul::<_, _, 4, 2>(ten), None);
        assert_eq!(ten.checked_mul::<_, _, 5, 2>(ten).unwrap().to_string(), "100.00");
        assert_eq!(ten.checked_div::<_, _, 38, 2>(zero), None);
        assert_eq!(Money::from_units(99_999).unwrap().rescale::<4, 1>(), None, "1000.0 after rounding");
    }

    #[test]
    fn the_largest_decimals_are_multiplied_and_divided() {
        type Whole = Decimal<38, 0>;
        type Part = Decimal<38, 38>;
        let most = Whole::from_units(10_i128.pow(38) - 1).unwrap();
        let part = Part::from_units(10_i128.pow(38) - 1).unwrap();
        let product: Option<Whole> = most.checked_mul(part);
        assert_eq!(product.unwrap().units(), 10_i128.pow(38) - 2); // less than a half is cut
        let square: Option<Part> = part.checked_mul(part);
        assert_eq!(square.unwrap().units(), 10_i128.pow(38) - 2);
        assert_eq!(most.checked_div::<_, _, 38, 0>(part), None, "one more than the largest");
        let quotient: Option<Part> = part.checked_div(most);
        assert_eq!(quotient.unwrap().units(), 1);
        assert_eq!(most.checked_mul::<_, _, 38, 38>(most), None);
    }

    /// Numbers of every length. A plain random number would almost always be long.
    fn units(digits: u8) -> impl Strategy<Value = i128> {
        let most = 10_i128.pow(u32::from(digits)) - 1;
        (-most..=most, 0..u32::from(digits)).prop_map(|(n, cut)| n / 10_i128.pow(cut))
    }

    /// `found` must be the whole number q with 2n - d < 2qd <= 2n + d, where n and d are above zero. If
    /// it is `None`, q must have more than `digits` digits.
    fn check(found: Option<i128>, n: i256, d: i256, digits: u8) {
        let (two, n, d) = (i256::from_i128(2), n.wrapping_abs(), d.wrapping_abs());
        let limit = i256::from_i128(10_i128.pow(u32::from(digits)));
        let Some(found) = found.map(i256::from_i128) else {
            return assert!(
                two * n >= (two * limit - i256::ONE) * d,
                "{n} / {d} has {digits} digits or less"
            );
        };
        let (low, middle, high) = (two * n - d, two * found.wrapping_abs() * d, two * n + d);
        assert!(low < middle && middle <= high, "{found} is not {n} / {d}");
    }

    /// Checks the sign of a result, which may be zero where the exact result is not.
    fn check_sign(found: Option<i128>, is_negative: bool) {
        assert!(found.is_none_or(|found| found == 0 || (found < 0) == is_negative), "{found:?}");
    }

    /// Checks three laws for random decimals of two types, with results of a third.
    fn check_laws<const P: u8, const S: i8, const P2: u8, const S2: i8, const P3: u8, const S3: i8>() {
        let ten = |exponent: i32| power_of_ten(exponent.max(0).unsigned_abs()).unwrap();
        let laws = |(a, b): (i128, i128)| {
            let (first, second) = (Decimal::<P, S>(a), Decimal::<P2, S2>(b));
            let (wide_a, wide_b) = (i256::from_i128(a), i256::from_i128(b));
            let (s, s2, s3) = (i32::from(S), i32::from(S2), i32::from(S3));

            let product = first.checked_mul::<_, _, P3, S3>(second).map(Decimal::units);
            check(product, wide_a * wide_b * ten(s3 - s - s2), ten(s + s2 - s3), P3);
            check_sign(product, (a < 0) != (b < 0));

            let quotient = first.checked_div::<_, _, P3, S3>(second).map(Decimal::units);
            match b {
                0 => assert_eq!(quotient, None),
                _ => check(quotient, wide_a * ten(s3 + s2 - s), wide_b * ten(s - s3 - s2), P3),
            }
            check_sign(quotient, (a < 0) != (b < 0));

            let rescaled = first.rescale::<P3, S3>().map(Decimal::units);
            check(rescaled, wide_a * ten(s3 - s), ten(s - s3), P3);
            check_sign(rescaled, a < 0);
            Ok(())
        };
        TestRunner::default().run(&(units(P), units(P2)), laws).unwrap();
    }

    #[test]
    fn products_quotients_and_rescaled_decimals_are_the_nearest_of_their_type_or_none() {
        check_laws::<10, 2, 5, 4, 12, 2>();
        check_laws::<18, 3, 19, 4, 38, 7>();
        check_laws::<30, 10, 30, 12, 9, 3>();
        check_laws::<5, 0, 5, 5, 3, 1>();
        check_laws::<38, 0, 38, 38, 38, 0>();
        check_laws::<38, 38, 38, 19, 38, 38>();
    }
}
