//! Keys of which five of six are new, with small values.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use kiln::Result;

use crate::data::DEFAULT_SEED;
use crate::data::random::{Random, scramble};
use crate::data::table::write_table;

/// One in this many rows repeats a key of another row.
const ROWS_PER_REPEAT: u64 = 6;
/// Upper bound of the values, so that sums of squares do not overflow.
const VALUES: u64 = 1000;

/// Writes a table of `rows` rows to `folder`.
///
/// # Errors
/// Fails when a file cannot be written.
pub fn table(folder: &Path, rows: u64) -> Result<()> {
    let mut random = Random::new(DEFAULT_SEED);
    write_table(folder, rows, |range| {
        let (keys, values): (Vec<i64>, Vec<i64>) = range
            .map(|row| {
                let repeats = row % ROWS_PER_REPEAT == ROWS_PER_REPEAT - 1;
                // The new keys are numbered in order; a repeat takes any of them.
                let number = if repeats { first_key(random.below(rows / ROWS_PER_REPEAT * 5)) } else { row };
                (scramble(number) as i64, random.below(VALUES) as i64)
            })
            .unzip();
        let columns: [ArrayRef; 2] = [Arc::new(Int64Array::from(keys)), Arc::new(Int64Array::from(values))];
        ["key", "value"].into_iter().zip(columns).collect()
    })
}

/// The row with the first occurrence of the key with this number.
fn first_key(number: u64) -> u64 {
    number / (ROWS_PER_REPEAT - 1) * ROWS_PER_REPEAT + number % (ROWS_PER_REPEAT - 1)
}
