//! Word count and ten maps as jobs of the engine, as a user would write them.
//!
//! The work and where it runs go in, the answer comes out. How the answer is printed and measured
//! is not known here; what makes it fast is the engine's business.

use std::path::Path;

use kiln::job::{Progress, Run};
use kiln::{Config, Context, Result, parse_cluster};

use crate::cli::Place;
use crate::counts::{Counts, TOP_WORDS};
use crate::map_steps::*;

/// Becomes an executor and never returns, when this process was started as one.
///
/// Called first in `main`, because an executor does not have this program's command line.
pub fn enter_executor_mode_if_asked() {
    kiln::run_as_executor_if_asked();
}

/// Counts the words of `input`, split as `str::split_whitespace` does.
pub fn word_count(input: &Path, place: &Place) -> Result<Counts> {
    let counts = context(place)?
        .read_text(&input.to_string_lossy())
        .flat_map(str::split_whitespace)
        .map_to::<(String, u64)>(|word| (word, 1))
        .reduce_by_key(|a, b| a + b)
        .cache();
    let mut result = Counts::default();
    // More than are shown, so that ties at the end are all there to be broken by the word.
    for (word, count) in counts.top(2 * TOP_WORDS, |(_, count)| count)? {
        result.add(word, count);
    }
    result.distinct = counts.count()?;
    result.total = counts.map_to::<u64>(|(_, count)| count).reduce(|a, b| a + b)?.unwrap_or(0);
    Ok(result)
}

/// The wrapping sum of `0..rows` after `map_steps::step_0` to `step_9`, as ten closures.
#[allow(clippy::redundant_closure, reason = "ten closures are what is measured")]
pub fn map_chain(rows: u64, place: &Place) -> Result<u64> {
    let mapped = context(place)?.range(0..rows).map(|x| step_0(x)).map(|x| step_1(x)).map(|x| step_2(x));
    let mapped = mapped.map(|x| step_3(x)).map(|x| step_4(x)).map(|x| step_5(x)).map(|x| step_6(x));
    let mapped = mapped.map(|x| step_7(x)).map(|x| step_8(x)).map(|x| step_9(x));
    Ok(mapped.reduce(u64::wrapping_add)?.unwrap_or(0))
}

/// A context for `place` that reports to nobody.
pub fn context(place: &Place) -> Result<Context> {
    let config = Config::new(parse_cluster(&place.kiln_cluster())?);
    Ok(Context::new(config, Run::new("benchmark".to_owned(), Progress::silent())))
}
