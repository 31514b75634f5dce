//! Word count as a Kiln job, as a user would write it.

use std::path::Path;

use kiln::{Context, Result};

use super::counts::{Counts, TOP_WORDS};

/// Counts the words of `input`.
///
/// # Errors
/// Fails when the job fails.
pub fn run(cx: &Context, input: &Path) -> Result<Counts> {
    let counts = cx
        .read_text(&input.to_string_lossy())
        .flat_map_to(str::split_whitespace)
        .map_to::<(String, u64)>(|word| (word, 1))
        .reduce_by_key(|a, b| a + b)
        .cache();
    let mut result = Counts::default();
    // More than are printed, so that all words of the last tie are present and can be ordered by word.
    for (word, count) in counts.top(2 * TOP_WORDS, |(_, count)| count)? {
        result.add(word, count);
    }
    result.distinct = counts.count()?;
    result.total = counts.map_to::<u64>(|(_, count)| count).reduce(|a, b| a + b)?.unwrap_or(0);
    Ok(result)
}
