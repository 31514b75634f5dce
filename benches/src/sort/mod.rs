//! Sorts rows of an 8-byte key and a 90-byte payload by key, Parquet to Parquet.
//!
//! Both contenders print the number of rows that they wrote; the harness then reads the files and
//! compares the order of all rows. All files are compressed with Snappy.

pub mod data;
pub mod job;
pub mod limit;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

/// Names of the columns of input and output.
pub const COLUMNS: [&str; 2] = ["key", "payload"];

/// The schema of input and output.
pub fn schema() -> SchemaRef {
    let [key, payload] = COLUMNS;
    let fields = vec![Field::new(key, DataType::Int64, false), Field::new(payload, DataType::Utf8, false)];
    Arc::new(Schema::new(fields))
}
