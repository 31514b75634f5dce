//! Sorts rows of an 8-byte key and a 90-byte payload by their key, Parquet to Parquet.
//!
//! Both contenders print how many rows they wrote; the harness reads the files after them and
//! compares the order of all rows. Files are Snappy-compressed on both sides.

pub mod data;
pub mod job;
pub mod limit;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

/// The columns of the table, in and out.
pub const COLUMNS: [&str; 2] = ["key", "payload"];

/// The columns of the table with their types.
pub fn schema() -> SchemaRef {
    let [key, payload] = COLUMNS;
    let fields = vec![Field::new(key, DataType::Int64, false), Field::new(payload, DataType::Utf8, false)];
    Arc::new(Schema::new(fields))
}
