//! Functions called by the code that `#[derive(Row)]` generates.
//!
//! They make readers, arrays and hashes from the columns of a struct, so that the macro does not repeat
//! their code for every struct. The items re-exported here spare a job its own dependency on `arrow`.
//! This is no public API: only generated code calls it.

use std::sync::Arc;

pub use arrow::array::ArrayRef;
use arrow::array::StructArray;
use arrow::datatypes::Fields;
pub use arrow::datatypes::{DataType, Field};

use super::column::{columns_differ, inner_columns, typed};
pub use super::unit_enum::{UnitEnum, VariantReader, Variants, enum_type};
use super::{ColumnReader, Row, mix};
use crate::error::Result;

/// The column `name` of a table, for a field of type `F`.
pub fn field<F: Row>(name: &str) -> Field {
    Field::new(name, F::data_type(), F::NULLABLE)
}

/// The Arrow type of one column of `R`: a struct of the columns that a table of `R` has.
pub fn data_type<R: Row>() -> DataType {
    DataType::Struct(Fields::from(R::columns()))
}

/// One struct column of `R`, made from the columns of a table of `R`.
pub fn struct_column<R: Row>(columns: Vec<ArrayRef>) -> ArrayRef {
    Arc::new(StructArray::new(Fields::from(R::columns()), columns, None))
}

/// The columns inside a struct column of `R`.
pub fn open_struct<R: Row>(column: &ArrayRef) -> Result<Vec<ArrayRef>> {
    inner_columns(&typed::<StructArray>(column, &R::data_type())?)
}

/// Fails unless the table has exactly `expected` columns, the number of fields of `R`.
pub fn check_count<R: Row>(columns: &[ArrayRef], expected: usize) -> Result<()> {
    if columns.len() == expected { Ok(()) } else { Err(columns_differ::<R>(columns.len())) }
}

/// The reader of one field; an error names the column that does not fit.
pub fn open_field<F: Row>(column: &ArrayRef, name: &str) -> Result<F::Reader> {
    F::Reader::open(column).map_err(|e| e.at("column", name))
}

/// Mixes the hash of one field into `hash`, which starts at 0. The result is the hash of a tuple of the
/// fields.
#[inline]
pub fn mix_field(hash: u64, field: u64) -> u64 {
    mix(hash ^ field, 0x5899_65cc_7537_4cc3)
}
