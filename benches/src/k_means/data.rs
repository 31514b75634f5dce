//! Points in 16 overlapping clusters.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array};
use kiln::Result;

use super::centres::{CENTRES, DIMENSIONS, middle};
use crate::data::DEFAULT_SEED;
use crate::data::random::Random;
use crate::data::table::write_table;

/// The columns of the table.
pub const COLUMNS: [&str; DIMENSIONS] = ["x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7"];

/// Extent of a cluster around its middle, in each dimension.
const REACH: u64 = 512;
/// Resolution of a coordinate: steps between two whole numbers.
const STEPS: u64 = 1024;

/// Writes a table of `points` points to `folder`.
///
/// # Errors
/// Fails when a file cannot be written.
pub fn table(folder: &Path, points: u64) -> Result<()> {
    let mut random = Random::new(DEFAULT_SEED);
    write_table(folder, points, |range| {
        let mut column = |dimension| {
            let coordinate = |point: u64| {
                let off = random.below(2 * REACH * STEPS) as f64 / STEPS as f64 - REACH as f64;
                middle(point as usize % CENTRES, dimension) + off
            };
            Arc::new(Float64Array::from_iter_values(range.clone().map(coordinate))) as ArrayRef
        };
        COLUMNS.into_iter().enumerate().map(|(dimension, name)| (name, column(dimension))).collect()
    })
}
