//! Unsigned integers where a table has signed ones only, as Delta tables do.
//!
//! A type enters, the same with every unsigned integer in it replaced by the narrowest signed one that holds its
//! values leaves; `u64` becomes `i64`, and whether a value fits is checked when it is converted.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field};

/// `data_type` without unsigned integers.
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
