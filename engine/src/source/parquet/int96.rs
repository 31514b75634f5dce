//! Columns of INT96: timestamps as Impala and older versions of Spark write them.
//!
//! By default the decoder reads them as nanoseconds, and years before 1677 or after 2262 silently wrap
//! around. Here they are read as microseconds, and anything finer is truncated, as in Spark. The type does
//! not declare whether it contains instants (Spark) or wall-clock times (Impala): the row type decides.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, TimeUnit};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::basic::Type;
use parquet::errors::Result;

use crate::source::adapt::{Wanted, match_columns};

/// Changes the footer so that INT96 columns are read as microseconds, in UTC where the row type has an
/// instant.
///
/// # Errors
/// Only the decoder's own.
pub(super) fn as_micros(footer: ArrowReaderMetadata, wanted: &Wanted) -> Result<ArrowReaderMetadata> {
    let leaves = footer.parquet_schema().columns();
    let mut leaves = leaves.iter().map(|column| column.physical_type() == Type::INT96);
    if !leaves.clone().any(|is_int96| is_int96) {
        return Ok(footer);
    }
    let found = footer.schema();
    // Columns that do not fit are reported later, when they are compared with the row type.
    let matched = match_columns(wanted, found).unwrap_or_default();
    let wanted_at = |at| matched.iter().position(|found| *found == Some(at));
    let wanted_field = |at| wanted_at(at).map(|at| wanted.schema.field(at));
    let fields = found.fields().iter().enumerate();
    let fields: Fields = fields.map(|(at, field)| as_wanted(field, wanted_field(at), &mut leaves)).collect();
    let schema = Schema::new_with_metadata(fields, found.metadata().clone());
    let options = ArrowReaderOptions::new().with_schema(Arc::new(schema));
    ArrowReaderMetadata::try_new(Arc::clone(footer.metadata()), options)
}

/// `leaves`: whether each leaf column, in order, is INT96.
fn as_wanted(field: &FieldRef, wanted: Option<&Field>, leaves: &mut impl Iterator<Item = bool>) -> FieldRef {
    use DataType::{FixedSizeList, LargeList, List, Map, Struct};
    let inside = inner(wanted);
    let item = |item, leaves: &mut _| as_wanted(item, inside.first().map(|field| &**field), leaves);
    let data_type = match field.data_type() {
        Struct(fields) => {
            let by_name = |name: &str| inside.iter().find(|field| field.name() == name).map(|field| &**field);
            Struct(fields.iter().map(|field| as_wanted(field, by_name(field.name()), leaves)).collect())
        }
        List(of) => List(item(of, leaves)),
        LargeList(of) => LargeList(item(of, leaves)),
        FixedSizeList(of, size) => FixedSizeList(item(of, leaves), *size),
        Map(of, is_sorted) => Map(item(of, leaves), *is_sorted),
        other => match leaves.next() {
            Some(true) => DataType::Timestamp(TimeUnit::Microsecond, zone(wanted)),
            _ => other.clone(),
        },
    };
    Arc::new(field.as_ref().clone().with_data_type(data_type))
}

/// The fields inside a column of the row type.
fn inner(wanted: Option<&Field>) -> Vec<FieldRef> {
    match wanted.map(Field::data_type) {
        Some(DataType::Struct(fields)) => fields.iter().cloned().collect(),
        Some(DataType::List(item) | DataType::Map(item, _)) => vec![Arc::clone(item)],
        _ => Vec::new(),
    }
}

fn zone(wanted: Option<&Field>) -> Option<Arc<str>> {
    match wanted.map(Field::data_type) {
        Some(DataType::Timestamp(_, zone)) => zone.clone(),
        _ => None,
    }
}
