//! Unsigned integers in tables that only have signed ones, such as Delta tables.
//!
//! In a stored type, every unsigned integer is replaced by the narrowest signed one that holds all its
//! values. `u64` becomes `i64`, and whether a value fits is checked when it is converted.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field};

use crate::error::{Error, Result};

/// A value that cannot be converted is an error, never a null.
const STRICT: CastOptions<'_> =
    CastOptions { safe: false, format_options: arrow::util::display::FormatOptions::new() };

/// `data_type` with unsigned integers replaced by signed ones.
pub fn signed(data_type: &DataType) -> DataType {
    use DataType::*;
    let inner = |field: &Arc<Field>| {
        let data_type = signed(field.data_type());
        Arc::new(field.as_ref().clone().with_data_type(data_type))
    };
    match data_type {
        UInt8 => Int16,
        UInt16 => Int32,
        UInt32 | UInt64 => Int64,
        List(item) => List(inner(item)),
        LargeList(item) => LargeList(inner(item)),
        Map(entries, is_sorted) => Map(inner(entries), *is_sorted),
        Struct(fields) => Struct(fields.iter().map(inner).collect()),
        other => other.clone(),
    }
}

/// The field as a table stores it; `None` if it contains no unsigned integer.
pub(super) fn signed_field(field: &Field) -> Option<Field> {
    let stored = signed(field.data_type());
    (stored != *field.data_type()).then(|| field.clone().with_data_type(stored))
}

/// Converts a column that was stored as [`signed`] to the type `to`.
///
/// # Errors
/// Data for a negative value.
pub(super) fn unsigned(column: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    cast_with_options(column, to, &STRICT)
        .map_err(|e| Error::data(format!("a value cannot be read as {to}")).because(e))
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, AsArray, Int64Array, ListArray};
    use arrow::datatypes::{Int64Type, UInt64Type};

    use super::*;
    use crate::Class;

    #[test]
    fn unsigned_integers_come_back_also_inside_of_lists_and_negative_ones_are_refused() {
        let list = ListArray::from_iter_primitive::<Int64Type, _, _>([Some(vec![Some(7), None]), None]);
        let to = DataType::new_list(DataType::UInt64, true);
        assert_eq!(signed(&to), *list.data_type());
        let back = unsigned(&(Arc::new(list) as ArrayRef), &to).unwrap();
        assert_eq!(back.as_list::<i32>().values().as_primitive::<UInt64Type>().value(0), 7);
        let negative: ArrayRef = Arc::new(Int64Array::from(vec![1, -1]));
        assert_eq!(unsigned(&negative, &DataType::UInt64).unwrap_err().class(), Class::Data);
    }

    #[test]
    fn only_what_holds_unsigned_integers_is_stored_otherwise() {
        assert!(signed_field(&Field::new("n", DataType::Int64, true)).is_none());
        let nested = Field::new_struct("s", vec![Field::new("n", DataType::UInt8, false)], true);
        let stored = signed_field(&nested).map(|field| field.data_type().clone());
        assert_eq!(stored, Some(DataType::Struct(vec![Field::new("n", DataType::Int16, false)].into())));
    }
}
