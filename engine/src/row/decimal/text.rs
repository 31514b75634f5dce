//! Decimals as text: digits with an optional point and sign, as in `-12.5`, and no exponent.
//!
//! Parsing is exact or fails: a text is never rounded.

use std::borrow::Cow;
use std::fmt;
use std::iter;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::Decimal;
use crate::error::{Error, Result};

impl<const P: u8, const S: i8> FromStr for Decimal<P, S> {
    type Err = Error;

    /// # Errors
    /// Fails with a data error for any other text, for more than `P` digits, and for digits other than
    /// 0 after the `S`th decimal.
    fn from_str(text: &str) -> Result<Self> {
        parse_units(text, P, S).map(Decimal)
    }
}

/// The number of units of 10^-`scale` in `text`, by the rules of every `Decimal`. For callers that have
/// precision and scale as values. `precision` is 1 to 38, `scale` 0 to `precision`.
///
/// # Errors
/// As for [`Decimal::from_str`].
pub(crate) fn parse_units(text: &str, precision: u8, scale: i8) -> Result<i128> {
    let wrong = |why: &str| Error::data(format!("`{text}` is no decimal({precision}, {scale}): {why}"));
    let decimals = usize::try_from(scale).unwrap_or_default();
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let (part, beyond) = part.split_at_checked(decimals).unwrap_or((part, ""));
    let is_number = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.len() + part.len() == 0 || !(is_number(whole) && is_number(part) && is_number(beyond)) {
        return Err(wrong("it is not written in digits and one point"));
    }
    if beyond.bytes().any(|b| b != b'0') {
        return Err(wrong("it has more decimals").help("round it before, or take a larger scale"));
    }
    let mut digits = whole.bytes().chain(part.bytes()).chain(iter::repeat_n(b'0', decimals - part.len()));
    let units =
        digits.try_fold(0_i128, |units, digit| units.checked_mul(10)?.checked_add(i128::from(digit - b'0')));
    match units.filter(|units| *units < 10_i128.pow(precision.into())) {
        Some(units) => Ok(if text.starts_with('-') { -units } else { units }),
        None => Err(wrong("it has more digits")),
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

/// Serialized as text in every format, because a JSON number has no more than 17 digits.
impl<const P: u8, const S: i8> Serialize for Decimal<P, S> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, const P: u8, const S: i8> Deserialize<'de> for Decimal<P, S> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(|e: Error| de::Error::custom(e.message()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_decimal_of_serde_is_its_text() {
        let price: Money = "-19.90".parse().unwrap();
        assert_eq!(serde_json::to_string(&price).unwrap(), r#""-19.90""#);
        assert_eq!(serde_json::from_str::<Money>(r#""-19.9""#).unwrap(), price);
        assert_eq!(postcard::from_bytes::<Money>(&postcard::to_stdvec(&price).unwrap()).unwrap(), price);
        let error = serde_json::from_str::<Money>(r#""1.999""#).unwrap_err().to_string();
        assert!(error.starts_with("`1.999` is no decimal(5, 2): it has more decimals"), "{error}");
    }

    #[test]
    fn a_text_that_would_have_to_be_rounded_or_cut_is_refused() {
        for text in ["", "-", ".", "1,5", "1e3", "0.005", "1000", "--1", "1.é", "１", &"9".repeat(60)] {
            assert!(text.parse::<Money>().is_err(), "{text}");
        }
    }
}
