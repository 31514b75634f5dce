//! The group as a Kiln job.

use std::path::Path;

use kiln::{Context, Result};

use super::sums::Sums;
use crate::address;

/// Sums the table in `input` by key.
///
/// # Errors
/// Fails when the job fails.
pub fn run(cx: &Context, input: &Path) -> Result<Sums> {
    let sums = cx.read_parquet::<(i64, i64)>(&address(input)).reduce_by_key(|a, b| a + b);
    let all = sums
        .map(|(_, sum)| (1i64, sum, sum * sum))
        .reduce(|(n, sum, squares), (m, other, more)| (n + m, sum + other, squares + more))?;
    let (groups, sum, squares) = all.unwrap_or_default();
    Ok(Sums { groups, sum, squares })
}
