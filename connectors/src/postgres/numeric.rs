//! Numbers of PostgreSQL, groups of four decimal digits, as whole numbers of units of a decimal, and back.

/// A number that the column cannot hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadNumber {
    /// The bytes are no number.
    Malformed,
    /// Not a number, or infinite.
    NotFinite,
    /// It has more digits or decimals than the column.
    TooLong,
}

const NEGATIVE: u16 = 0x4000;
const NOT_FINITE: [u16; 3] = [0xc000, 0xd000, 0xf000];
/// Decimal digits in a group.
const GROUP: i32 = 4;

static POWERS: [i128; 39] = {
    let mut powers = [1; 39];
    let mut at = 1;
    while at < 39 {
        powers[at] = powers[at - 1] * 10;
        at += 1;
    }
    powers
};

/// How many units of 10^-`scale` the number is; it has at most `precision` digits.
///
/// The bytes are: the count of groups, the weight of the first group in powers of 10,000, the sign, the decimals that are
/// printed, and the groups.
#[inline]
pub(super) fn units(bytes: &[u8], precision: u8, scale: i8) -> Result<i128, BadNumber> {
    let Some((head, groups)) = bytes.split_first_chunk::<8>() else { return Err(BadNumber::Malformed) };
    let short = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
    let (count, weight, sign) = (short(0), i32::from(short(2).cast_signed()), short(4));
    if NOT_FINITE.contains(&sign) {
        return Err(BadNumber::NotFinite);
    }
    if groups.len() != usize::from(count) * 2 || (sign != 0 && sign != NEGATIVE) {
        return Err(BadNumber::Malformed);
    }
    let units = match small(groups, weight, i32::from(scale)) {
        Some(units) => units,
        None => large(groups, weight, i32::from(scale))?,
    };
    if units >= POWERS[usize::from(precision).min(38)] {
        return Err(BadNumber::TooLong);
    }
    Ok(if sign == NEGATIVE { -units } else { units })
}

/// The usual case, in 64 bits: at most four groups, and units that fit.
#[inline]
fn small(groups: &[u8], weight: i32, scale: i32) -> Option<i128> {
    if groups.len() > 8 {
        return None;
    }
    let mut number = 0_u64;
    for group in groups.chunks_exact(2) {
        let group = u16::from_be_bytes([group[0], group[1]]);
        if group > 9999 {
            return None;
        }
        number = number * 10_000 + u64::from(group);
    }
    // By which power of ten the groups, read as a whole number, miss the units.
    let shift = (weight + 1) * GROUP - groups.len() as i32 * 2 + scale;
    if number == 0 {
        return Some(0);
    }
    let power = *POWERS.get(shift.unsigned_abs() as usize).filter(|_| shift.unsigned_abs() < 19)? as u64;
    if shift >= 0 {
        return number.checked_mul(power).map(i128::from);
    }
    number.is_multiple_of(power).then(|| i128::from(number / power))
}

/// Any number, digit by digit of its groups.
fn large(groups: &[u8], weight: i32, scale: i32) -> Result<i128, BadNumber> {
    let mut units = 0_i128;
    for (at, group) in groups.chunks_exact(2).enumerate() {
        let group = i128::from(u16::from_be_bytes([group[0], group[1]]));
        if group > 9999 {
            return Err(BadNumber::Malformed);
        }
        let shift = (weight - at as i32) * GROUP + scale;
        if group == 0 {
            continue;
        }
        let power = *POWERS.get(shift.unsigned_abs() as usize).ok_or(BadNumber::TooLong)?;
        let added = match shift >= 0 {
            true => group.checked_mul(power).ok_or(BadNumber::TooLong)?,
            false if group % power == 0 => group / power,
            false => return Err(BadNumber::TooLong),
        };
        units = units.checked_add(added).ok_or(BadNumber::TooLong)?;
    }
    Ok(units)
}

/// Whether `units` is a multiple of 10^`power`; of a power below 1 everything is.
pub(super) fn is_multiple_of_power(units: i128, power: i32) -> bool {
    match usize::try_from(power) {
        Err(_) => true,
        Ok(power) => POWERS.get(power).map_or(units == 0, |power| units % power == 0),
    }
}

/// Whether the number has at most so many digits.
pub(super) fn has_digits(units: i128, digits: i32) -> bool {
    match usize::try_from(digits) {
        Err(_) => units == 0,
        Ok(digits) => POWERS.get(digits).is_none_or(|end| units.unsigned_abs() < end.unsigned_abs()),
    }
}

/// Adds what the server reads as `units` of 10^-`scale`.
pub(super) fn put(units: i128, scale: u32, out: &mut Vec<u8>) {
    let mut rest = units.unsigned_abs();
    let mut groups = [0_u16; 11];
    let mut count = 0;
    // The lowest group may have fewer digits than four.
    let odd = scale % 4;
    if odd > 0 {
        let power = 10_u128.pow(odd);
        groups[0] = (rest % power) as u16 * 10_u16.pow(4 - odd);
        (rest, count) = (rest / power, 1);
    }
    while rest > 0 {
        groups[count] = (rest % 10_000) as u16;
        (rest, count) = (rest / 10_000, count + 1);
    }
    let weight = count as i32 - scale.div_ceil(4) as i32 - 1;
    let groups = &groups[..count];
    let low = groups.iter().position(|group| *group != 0).unwrap_or(count);
    let high = groups.iter().rposition(|group| *group != 0).map_or(low, |at| at + 1);
    let weight = if low == high { 0 } else { weight - (count - high) as i32 };
    let sign = if units < 0 { NEGATIVE } else { 0 };
    for number in [(high - low) as u16, (weight as i16).cast_unsigned(), sign, scale as u16] {
        out.extend_from_slice(&number.to_be_bytes());
    }
    groups[low..high].iter().rev().for_each(|group| out.extend_from_slice(&group.to_be_bytes()));
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What the server sends for `units` of 10^-`scale`.
    pub(crate) fn encoded(units: i128, scale: u32) -> Vec<u8> {
        let text = units.unsigned_abs().to_string();
        let text = format!("{text:0>width$}", width = scale as usize + 1);
        let (whole, decimals) = text.split_at(text.len() - scale as usize);
        let whole = format!("{whole:0>width$}", width = whole.len().div_ceil(4) * 4);
        let decimals = format!("{decimals:0<width$}", width = decimals.len().div_ceil(4) * 4);
        let digits = whole.clone() + &decimals;
        let mut groups: Vec<u16> =
            (0..digits.len() / 4).map(|at| digits[at * 4..at * 4 + 4].parse().unwrap()).collect();
        let mut weight = (whole.len() / 4) as i16 - 1;
        while groups.first() == Some(&0) {
            groups.remove(0);
            weight -= 1;
        }
        while groups.last() == Some(&0) {
            groups.pop();
        }
        let head = [groups.len() as u16, weight as u16, if units < 0 { NEGATIVE } else { 0 }, scale as u16];
        head.into_iter().chain(groups).flat_map(u16::to_be_bytes).collect()
    }

    proptest! {
        #[test]
        fn every_number_comes_back(digits in 1_u8..=38, scale in 0_u8..=38, seed in any::<i128>()) {
            let scale = scale.min(digits);
            let value = seed % POWERS[usize::from(digits)];
            prop_assert_eq!(units(&encoded(value, u32::from(scale)), digits, scale as i8), Ok(value));
        }

        #[test]
        fn what_is_put_is_what_the_server_sends(digits in 1_u8..=38, scale in 0_u8..=38, seed in any::<i128>()) {
            let value = seed % POWERS[usize::from(digits)];
            let mut bytes = Vec::new();
            put(value, u32::from(scale), &mut bytes);
            let mut sent = encoded(value, u32::from(scale));
            if value == 0 {
                sent[2..4].copy_from_slice(&[0, 0]);
            }
            prop_assert_eq!(bytes, sent);
        }

        #[test]
        fn any_bytes_give_a_number_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = units(&bytes, 38, 5);
        }
    }

    #[test]
    fn what_is_longer_than_the_column_is_no_number_of_it() {
        assert_eq!(units(&encoded(12345, 3), 10, 2), Err(BadNumber::TooLong), "12.345 has three decimals");
        assert_eq!(units(&encoded(12340, 3), 10, 2), Ok(1234));
        assert_eq!(units(&encoded(1000, 0), 3, 0), Err(BadNumber::TooLong));
        assert_eq!(units(&encoded(POWERS[38] - 1, 0), 38, 0), Ok(POWERS[38] - 1));
        assert_eq!(units(&[0, 0, 0, 0, 0xc0, 0, 0, 0], 3, 0), Err(BadNumber::NotFinite));
        assert_eq!(units(&[0, 1, 0, 0, 0, 0, 0, 0, 0xff, 0xff], 3, 0), Err(BadNumber::Malformed));
        assert_eq!(units(&[0, 2, 0, 0, 0, 0, 0, 0, 0, 1], 3, 0), Err(BadNumber::Malformed));
    }
}
