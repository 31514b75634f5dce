//! Keys of which five of six come up for the first time, with small values.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use kiln::Result;

use crate::data::DEFAULT_SEED;
use crate::data::random::{Random, scramble};
use crate::data::table::write_table;

/// Of so many rows, one repeats a key of another row.
const ROWS_PER_REPEAT: u64 = 6;
/// Values are below this, so that sums of squares stay far from overflow.
const VALUES: u64 = 1000;

/// Writes a table with so many rows into `folder`.
///
/// # Errors
/// When a file cannot be written.
pub fn table(folder: &Path, rows: u64) -> Result<()> {
    let mut random = Random::new(DEFAULT_SEED);
    write_table(folder, rows, |range| {
        let (keys, values): (Vec<i64>, Vec<i64>) = range
            .map(|row| {
                let repeats = row % ROWS_PER_REPEAT == ROWS_PER_REPEAT - 1;
                // The first keys of each six rows are numbered in order; a repeat takes any of them.
                let number = if repeats { first_key(random.below(rows / ROWS_PER_REPEAT * 5)) } else { row };
                (scramble(number) as i64, random.below(VALUES) as i64)
            })
            .unzip();
        let columns: [ArrayRef; 2] = [Arc::new(Int64Array::from(keys)), Arc::new(Int64Array::from(values))];
        ["key", "value"].into_iter().zip(columns).collect()
    })
}

/// The row in which the key with this number comes up first.
fn first_key(number: u64) -> u64 {
    number / (ROWS_PER_REPEAT - 1) * ROWS_PER_REPEAT + number % (ROWS_PER_REPEAT - 1)
}
