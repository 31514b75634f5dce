//! Which type of a file's column can be read as which type of a row without losing anything.
//!
//! Two types enter, yes or no leaves. Integers may widen, an integer may become a float that holds
//! all its values, units of time may become finer, text and bytes may change how they are stored.
//! Nothing is rounded, truncated or given a time zone that it did not have.

use arrow::compute::can_cast_types;
use arrow::datatypes::{DataType, TimeUnit};

/// Whether every value of `from` is one of `to`; with `parse`, whether text can spell one.
pub(super) fn fits(from: &DataType, to: &DataType, parse: bool) -> bool {
    from == to || (keeps_all(from, to, parse) && can_cast_types(from, to))
}

fn keeps_all(from: &DataType, to: &DataType, parse: bool) -> bool {
    use DataType::*;
    match (from, to) {
        _ if from == to => true,
        (Null, _) => true,
        (Dictionary(_, values), _) => keeps_all(values, to, parse),
        (_, Dictionary(_, values)) => keeps_all(from, values, parse),
        (Utf8 | LargeUtf8 | Utf8View, Utf8 | LargeUtf8 | Utf8View) => true,
        (Utf8, _) if parse => to.is_numeric() || to.is_temporal(),
        (Binary | LargeBinary | BinaryView | FixedSizeBinary(_), Binary | LargeBinary | BinaryView) => true,
        (Timestamp(a, zone), Timestamp(b, other)) => zone.is_some() == other.is_some() && is_finer(b, a),
        (Duration(a), Duration(b)) => is_finer(b, a),
        (Time32(a), Time32(b) | Time64(b)) | (Time64(a), Time64(b)) => is_finer(b, a),
        (
            List(a) | LargeList(a) | FixedSizeList(a, _) | ListView(a) | LargeListView(a),
            List(b) | LargeList(b),
        ) => keeps_all(a.data_type(), b.data_type(), parse),
        (Map(a, _), Map(b, _)) => keeps_all(a.data_type(), b.data_type(), parse),
        (Struct(a), Struct(b)) => {
            let mut pairs = a.iter().zip(b);
            a.len() == b.len()
                && pairs.all(|(a, b)| a.name() == b.name() && keeps_all(a.data_type(), b.data_type(), parse))
        }
        _ => number_fits(from, to) || decimal_fits(from, to),
    }
}

fn is_finer(unit: &TimeUnit, than: &TimeUnit) -> bool {
    let rank = |unit: &TimeUnit| match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 1,
        TimeUnit::Microsecond => 2,
        TimeUnit::Nanosecond => 3,
    };
    rank(unit) >= rank(than)
}

fn number_fits(from: &DataType, to: &DataType) -> bool {
    use DataType::{Float16, Float32, Float64};
    // How many bits of an integer a float holds exactly.
    let exact_bits = match to {
        Float16 => 11,
        Float32 => 24,
        Float64 => 53,
        _ => 0,
    };
    match (integer(from), integer(to)) {
        (Some((true, from)), Some((signed, to))) => signed && from <= to,
        (Some((false, from)), Some((signed, to))) => from < to || (!signed && from == to),
        (Some((_, from)), None) => from <= exact_bits,
        _ => matches!((from, to), (Float16, Float32 | Float64) | (Float32, Float64)),
    }
}

/// Whether an integer is signed, and its bits.
fn integer(data_type: &DataType) -> Option<(bool, usize)> {
    let bits = data_type.primitive_width().unwrap_or(0) * 8;
    if data_type.is_signed_integer() {
        Some((true, bits))
    } else {
        data_type.is_unsigned_integer().then_some((false, bits))
    }
}

fn decimal_fits(from: &DataType, to: &DataType) -> bool {
    let (Some((precision, scale)), Some((to_precision, to_scale))) = (decimal(from), decimal(to)) else {
        return false;
    };
    to_scale >= scale && to_precision - to_scale >= precision - scale
}

fn decimal(data_type: &DataType) -> Option<(i16, i16)> {
    match data_type {
        DataType::Decimal32(p, s)
        | DataType::Decimal64(p, s)
        | DataType::Decimal128(p, s)
        | DataType::Decimal256(p, s) => Some((i16::from(*p), i16::from(*s))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use DataType::*;

    #[test]
    fn numbers_widen_and_never_narrow() {
        let fits = |from, to| super::fits(&from, &to, false);
        assert!(fits(Int32, Int64) && fits(UInt8, Int16) && fits(Int32, Float64) && fits(Float32, Float64));
        assert!(!fits(Int64, Int32) && !fits(Int8, UInt64) && !fits(UInt64, Int64));
        assert!(
            !fits(Int64, Float64) && !fits(Int32, Float32) && !fits(Float64, Int64) && !fits(Int32, Utf8)
        );
    }

    #[test]
    fn how_text_is_stored_does_not_matter() {
        let dictionary = Dictionary(Box::new(Int32), Box::new(Utf8View));
        assert!([Utf8View, LargeUtf8, dictionary].iter().all(|from| fits(from, &Utf8, false)));
        assert!(!fits(&Utf8, &Int64, false) && fits(&Utf8, &Int64, true));
    }

    #[test]
    fn times_become_finer_and_keep_whether_they_have_a_zone() {
        let time = |unit, zone: Option<&str>| Timestamp(unit, zone.map(Into::into));
        let fits = |from, to| super::fits(&from, &to, false);
        assert!(fits(time(TimeUnit::Millisecond, None), time(TimeUnit::Microsecond, None)));
        assert!(!fits(time(TimeUnit::Nanosecond, None), time(TimeUnit::Microsecond, None)));
        assert!(fits(time(TimeUnit::Second, Some("UTC")), time(TimeUnit::Second, Some("Europe/Berlin"))));
        assert!(!fits(time(TimeUnit::Second, None), time(TimeUnit::Second, Some("UTC"))));
    }

    #[test]
    fn a_decimal_keeps_all_its_digits_on_both_sides() {
        assert!(fits(&Decimal128(10, 2), &Decimal128(12, 4), false));
        assert!(!fits(&Decimal128(10, 2), &Decimal128(10, 4), false));
        assert!(!fits(&Decimal128(10, 2), &Decimal128(38, 1), false));
    }
}
