//! CSV to Parquet as a Kiln job.

use std::path::Path;

use kiln::{Compression, Context, Result, Row};

use crate::address;

/// A row of the file.
#[derive(Row)]
struct Order {
    id: i64,
    customer: i64,
    country: String,
    product: String,
    price: f64,
    quantity: i32,
    discount: Option<f64>,
    paid: bool,
}

/// Writes the orders in `input` as Parquet files to `output`.
///
/// # Errors
/// Fails when the job fails.
pub fn run(cx: &Context, input: &Path, output: &Path) -> Result<()> {
    let orders = cx.read_csv::<Order>(&address(&input.join("*.csv")));
    orders.write().compression(Compression::Snappy).parquet(&address(output))
}
