//! Which column types of a file can be read as which types of a row without loss.
//!
//! Integers may widen, an integer may become a float that represents all its values, units of time may become
//! finer, and text and bytes may be stored differently. Nothing is rounded, truncated or given a time zone
//! that it did not have. If the answer is no, `way_out` returns advice. `convert` checks the individual
//! values of text and of nanoseconds: rows have no nanoseconds, but accept those that are whole microseconds.

use arrow::compute::can_cast_types;
use arrow::datatypes::{DataType, TimeUnit};

/// Whether a column of `data_type` can contain nulls that its own null mask does not show, so that it must be
/// rebuilt even if it already has the wanted type.
pub(super) fn holds_dictionary(data_type: &DataType) -> bool {
    use DataType::*;
    match data_type {
        Dictionary(..) => true,
        List(item) | LargeList(item) | Map(item, _) => holds_dictionary(item.data_type()),
        Struct(fields) => fields.iter().any(|field| holds_dictionary(field.data_type())),
        _ => false,
    }
}

/// Whether every value of `from` is a value of `to`; with `parse`, text may be parsed.
pub(super) fn fits(from: &DataType, to: &DataType, parse: bool) -> bool {
    // `convert` handles nested types itself, so `arrow` must support only the conversions of the types
    // inside.
    from == to || (keeps_all(from, to, parse) && (from.is_nested() || can_cast_types(from, to)))
}

/// Whether a column of `from` becomes one of `to` without losing anything.
pub fn is_lossless(from: &DataType, to: &DataType) -> bool {
    fits(from, to, false)
}

fn keeps_all(from: &DataType, to: &DataType, parse: bool) -> bool {
    use DataType::*;
    match (from, to) {
        _ if from == to => true,
        (Null, _) => true,
        (Dictionary(_, values), _) => keeps_all(values, to, parse),
        (_, Dictionary(_, values)) => keeps_all(from, values, parse),
        (RunEndEncoded(_, values), _) => keeps_all(values.data_type(), to, parse),
        (Utf8 | LargeUtf8 | Utf8View, Utf8 | LargeUtf8 | Utf8View) => true,
        (Utf8, _) if parse => to.is_numeric() || to.is_temporal(),
        (Binary | LargeBinary | BinaryView | FixedSizeBinary(_), Binary | LargeBinary | BinaryView) => true,
        (Timestamp(a, zone), Timestamp(b, other)) => {
            let is_checked = (a, b) == (&TimeUnit::Nanosecond, &TimeUnit::Microsecond);
            zone.is_some() == other.is_some() && (is_finer(b, a) || is_checked)
        }
        // Converted to plain numbers, for timestamps that are finer than those of rows.
        (Timestamp(TimeUnit::Nanosecond, _), Int64) => true,
        (Duration(a), Duration(b)) => is_finer(b, a),
        (Time32(a), Time32(b) | Time64(b)) | (Time64(a), Time64(b)) => is_finer(b, a),
        (
            List(a) | LargeList(a) | FixedSizeList(a, _) | ListView(a) | LargeListView(a),
            List(b) | LargeList(b),
        ) => keeps_all(a.data_type(), b.data_type(), parse),
        (Map(a, _), Map(b, _)) => match (a.data_type(), b.data_type()) {
            // Keys and values are identified by position; writers give them any names.
            (Struct(a), Struct(b)) => {
                a.len() == b.len()
                    && a.iter().zip(b).all(|(a, b)| keeps_all(a.data_type(), b.data_type(), parse))
            }
            _ => false,
        },
        // Fields are matched by name; those that the row type lacks are dropped.
        (Struct(a), Struct(b)) => b.iter().all(|b| match a.iter().find(|a| a.name() == b.name()) {
            Some(a) => keeps_all(a.data_type(), b.data_type(), parse),
            None => b.is_nullable(),
        }),
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
    // How many bits of an integer a float represents exactly.
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

/// Whether an integer type is signed, and its number of bits.
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

/// Advice about a column of the type `from` that cannot be read as `to`.
pub(super) fn way_out(from: &DataType, to: &DataType) -> String {
    if let (DataType::Timestamp(..), DataType::Timestamp(..)) = (from, to) {
        return "a timestamp with a zone is a `DateTime<Utc>`, one without is a `NaiveDateTime`".to_owned();
    }
    let rule = "only conversions that lose nothing are made";
    if from.is_nested() && to.is_nested() {
        return format!("{rule}; fields inside are matched by name, and one that files lack is an `Option`");
    }
    match row_type(from) {
        Some(name) => format!("{rule}; give the field the type `{name}` and convert it in `map`"),
        None => {
            format!("{rule}, and no row type holds a {from}: leave the column out, or write it as another")
        }
    }
}

/// The row type for a column of a file.
fn row_type(data_type: &DataType) -> Option<String> {
    use DataType::*;
    let name = match data_type {
        Boolean => "bool",
        Int8 => "i8",
        Int16 => "i16",
        Int32 => "i32",
        Int64 => "i64",
        UInt8 => "u8",
        UInt16 => "u16",
        UInt32 => "u32",
        UInt64 => "u64",
        Float16 | Float32 => "f32",
        Float64 => "f64",
        Utf8 | LargeUtf8 | Utf8View => "String",
        Binary | LargeBinary | BinaryView | FixedSizeBinary(_) => "kiln::Bytes",
        Date32 => "NaiveDate",
        Timestamp(_, None) => "NaiveDateTime",
        Timestamp(_, Some(_)) => "DateTime<Utc>",
        Dictionary(_, values) => return row_type(values),
        RunEndEncoded(_, values) => return row_type(values.data_type()),
        List(item) | LargeList(item) | FixedSizeList(item, _) | ListView(item) | LargeListView(item) => {
            return row_type(item.data_type()).map(|item| format!("Vec<{item}>"));
        }
        _ => {
            let (precision, scale) = decimal(data_type)?;
            let is_held = (1..=38).contains(&precision) && (0..=precision).contains(&scale);
            return is_held.then(|| format!("Decimal<{precision}, {scale}>"));
        }
    };
    Some(name.to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::Field;

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
        assert!(fits(time(TimeUnit::Nanosecond, None), time(TimeUnit::Microsecond, None)));
        assert!(!fits(time(TimeUnit::Microsecond, None), time(TimeUnit::Millisecond, None)));
        assert!(fits(time(TimeUnit::Second, Some("UTC")), time(TimeUnit::Second, Some("Europe/Berlin"))));
        assert!(!fits(time(TimeUnit::Second, None), time(TimeUnit::Second, Some("UTC"))));
    }

    #[test]
    fn what_does_not_fit_has_a_way_out_that_exists() {
        assert!(way_out(&Decimal256(20, 2), &Utf8).contains("`Decimal<20, 2>`"));
        assert!(way_out(&DataType::new_list(Float64, true), &Utf8).contains("`Vec<f64>`"));
        assert!(way_out(&Time64(TimeUnit::Microsecond), &Int64).contains("no row type holds a Time64"));
        assert!(way_out(&Decimal256(60, 2), &Utf8).contains("no row type holds"));
    }

    #[test]
    fn structs_are_matched_by_name_and_maps_by_position() {
        let of = |fields: &[(&str, DataType, bool)]| {
            let fields =
                fields.iter().map(|(name, of, is_nullable)| Field::new(*name, of.clone(), *is_nullable));
            Struct(fields.collect())
        };
        let found = of(&[("b", Int32, true), ("extra", Utf8, true), ("a", Int64, true)]);
        assert!(fits(&found, &of(&[("a", Int64, false), ("b", Int64, false), ("c", Utf8, true)]), false));
        assert!(!fits(&found, &of(&[("a", Int64, false), ("c", Utf8, false)]), false));
        assert!(!fits(&found, &of(&[("a", Int32, false)]), false));
        let map = |key: &str, value: &str| {
            let entries = of(&[(key, Utf8, false), (value, Int64, true)]);
            Map(Arc::new(Field::new(key, entries, false)), false)
        };
        assert!(fits(&map("keys", "values"), &map("key", "value"), false));
    }

    #[test]
    fn a_decimal_keeps_all_its_digits_on_both_sides() {
        assert!(fits(&Decimal128(10, 2), &Decimal128(12, 4), false));
        assert!(!fits(&Decimal128(10, 2), &Decimal128(10, 4), false));
        assert!(!fits(&Decimal128(10, 2), &Decimal128(38, 1), false));
    }
}
