//! The sort as a Kiln job.

use std::path::Path;

use kiln::{Compression, Context, Result};

use super::COLUMNS;
use crate::address;

/// Sorts the table in `input` to files in `output`.
///
/// # Errors
/// Fails when the job fails.
pub fn run(cx: &Context, input: &Path, output: &Path) -> Result<()> {
    let sorted = cx.read_parquet::<(i64, String)>(&address(input)).sort_by_key();
    sorted.write().names(COLUMNS).compression(Compression::Snappy).parquet(&address(output))
}
