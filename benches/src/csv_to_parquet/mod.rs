//! Reads one large CSV file as typed rows and writes them as Parquet.
//!
//! There are eight columns: numbers, a flag, a column with empty fields, and strings, some of them
//! quoted because they contain commas and quotes. The harness reads the files of both contenders and
//! compares their rows, in any order.

pub mod data;
pub mod job;
pub mod limit;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

/// The columns of a file, in order.
pub fn schema() -> SchemaRef {
    let field = |name: &str, kind: DataType| Field::new(name, kind, name == "discount");
    Arc::new(Schema::new(vec![
        field("id", DataType::Int64),
        field("customer", DataType::Int64),
        field("country", DataType::Utf8),
        field("product", DataType::Utf8),
        field("price", DataType::Float64),
        field("quantity", DataType::Int32),
        field("discount", DataType::Float64),
        field("paid", DataType::Boolean),
    ]))
}
