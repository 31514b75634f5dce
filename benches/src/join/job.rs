//! The join as a Kiln job.

use std::path::Path;

use kiln::{Context, Result};

use super::segments::Segments;
use crate::address;

/// Joins the tables in `input` and sums by segment.
///
/// # Errors
/// Fails when the job fails.
pub fn run(cx: &Context, input: &Path) -> Result<Segments> {
    let left = cx.read_parquet::<(i64, i64)>(&address(&input.join("left")));
    let right = cx.read_parquet::<(i64, i64)>(&address(&input.join("right")));
    let sums = left
        .join(right)
        .map(|(_, (amount, segment))| (segment, (1i64, amount)))
        .reduce_by_key(|(n, amount), (m, other)| (n + m, amount + other));
    let mut segments = Segments::default();
    sums.collect()?.into_iter().for_each(|(segment, (rows, amount))| segments.add(segment, rows, amount));
    Ok(segments)
}
