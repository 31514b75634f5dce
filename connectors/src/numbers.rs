//! Numbers and times that databases send as text, as values of columns.

use kiln::chrono::NaiveDate;

/// The most digits of a number that a column of decimals holds.
pub(crate) const MAX_PRECISION: u8 = 38;
/// The day of 1970-01-01, counted from the year 1.
const EPOCH_DAYS: i32 = 719_163;
const MICROS_IN_SECOND: i64 = 1_000_000;
const SECONDS_IN_DAY: i64 = 86_400;

/// How many units of 10^-`scale` a number such as `-12.50` is, if it has at most `precision` digits and no decimals beyond
/// the scale but zeros.
pub(crate) fn units(text: &[u8], precision: u8, scale: u8) -> Option<i128> {
    let (is_negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let (whole, decimals) = match digits.iter().position(|byte| *byte == b'.') {
        Some(at) => (&digits[..at], &digits[at + 1..]),
        None => (digits, &[][..]),
    };
    if whole.is_empty() && decimals.is_empty() {
        return None;
    }
    let (kept, beyond) = decimals.split_at(decimals.len().min(usize::from(scale)));
    if beyond.iter().any(|byte| *byte != b'0') {
        return None;
    }
    let mut units = 0_i128;
    for byte in whole.iter().chain(kept) {
        units = units.checked_mul(10)?.checked_add(i128::from(digit(*byte)?))?;
    }
    let missing = u32::from(scale) - kept.len() as u32;
    units = units.checked_mul(10_i128.checked_pow(missing)?)?;
    let limit = 10_i128.checked_pow(u32::from(precision))?;
    (units < limit).then_some(if is_negative { -units } else { units })
}

fn digit(byte: u8) -> Option<u8> {
    byte.is_ascii_digit().then(|| byte - b'0')
}

/// Days since 1970-01-01, if there is such a day.
pub(crate) fn days(year: i32, month: u32, day: u32) -> Option<i32> {
    use kiln::chrono::Datelike;
    Some(NaiveDate::from_ymd_opt(year, month, day)?.num_days_from_ce() - EPOCH_DAYS)
}

/// Microseconds within a day, if there is such a time.
pub(crate) fn micros(hour: u32, minute: u32, second: u32, micros: u32) -> Option<i64> {
    let is_time = hour < 24 && minute < 60 && second < 60 && micros < 1_000_000;
    let seconds = i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second);
    is_time.then(|| seconds * MICROS_IN_SECOND + i64::from(micros))
}

/// Microseconds since 1970-01-01 of a day and a time in it.
pub(crate) fn instant(days: i32, micros: i64) -> i64 {
    i64::from(days) * SECONDS_IN_DAY * MICROS_IN_SECOND + micros
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_exact_or_none() {
        assert_eq!(units(b"-12.50", 4, 2), Some(-1250));
        assert_eq!(units(b"12.5", 4, 2), Some(1250));
        assert_eq!(units(b"012.5000", 4, 2), Some(1250));
        assert_eq!(units(b".5", 4, 2), Some(50));
        assert_eq!(units(b"12.505", 4, 2), None, "a decimal too many");
        assert_eq!(units(b"123.45", 4, 2), None, "a digit too many");
        let nines = "9".repeat(38);
        assert_eq!(units(nines.as_bytes(), 38, 0), Some(10_i128.pow(38) - 1));
        assert_eq!(units(format!("{nines}9").as_bytes(), 38, 0), None);
        for text in ["", "-", ".", "1e5", "NaN", " 1", "1-"] {
            assert_eq!(units(text.as_bytes(), 10, 2), None, "{text}");
        }
    }

    #[test]
    fn days_and_times_that_do_not_exist_are_none() {
        assert_eq!(
            (days(1970, 1, 1), days(2000, 1, 1), days(0, 1, 1)),
            (Some(0), Some(10_957), Some(-719_528))
        );
        assert_eq!((days(2026, 2, 30), days(0, 0, 0)), (None, None));
        assert_eq!(micros(23, 59, 59, 999_999), Some(86_399_999_999));
        assert_eq!(micros(24, 0, 0, 0), None);
        assert_eq!(instant(-1, 86_399_999_999), -1);
    }
}
