//! The two tables of a join, as folders `left` and `right`.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use clap::ValueEnum;
use kiln::Result;

use super::segments::SEGMENTS;
use crate::data::DEFAULT_SEED;
use crate::data::random::{Random, scramble};
use crate::data::table::write_table;
use crate::sort::data::payloads;

/// Distribution of the left table's keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Keys {
    /// All keys of the right table are equally frequent.
    Uniform,
    /// Uniform for 70 % of the rows; the rest have one key.
    Skewed,
}

/// Percentage of the rows of a skewed table that have the same key.
const HOT_PERCENT: u64 = 30;
/// Index of that key.
const HOT: u64 = 7;
/// Upper bound of the amounts.
const AMOUNTS: u64 = 1000;
/// Size of the payload of a wide row, which makes it 100 bytes in a file.
const PAYLOAD_BYTES: usize = 88;

impl Keys {
    /// Name in file names and tables of results.
    pub fn name(self) -> &'static str {
        match self {
            Keys::Uniform => "join",
            Keys::Skewed => "join-skewed",
        }
    }
}

/// Writes two tables of `rows` rows each: keys with amounts, and keys with segments.
///
/// # Errors
/// Fails when a file cannot be written.
pub fn tables(folder: &Path, rows: u64, spread: Keys) -> Result<()> {
    let mut random = Random::new(DEFAULT_SEED);
    write_table(&folder.join("left"), rows, |range| {
        let keys = left_keys(range.clone(), rows, spread, &mut random);
        vec![("key", keys), ("amount", numbers(range, AMOUNTS, &mut random))]
    })?;
    write_table(&folder.join("right"), rows, |range| {
        vec![("key", right_keys(range.clone())), ("segment", numbers(range, SEGMENTS as u64, &mut random))]
    })
}

/// Writes two tables of keys with payloads.
///
/// # Errors
/// Fails when a file cannot be written.
pub fn wide_tables(folder: &Path, rows: u64) -> Result<()> {
    let mut random = Random::new(DEFAULT_SEED);
    write_table(&folder.join("left"), rows, |range| {
        let keys = left_keys(range.clone(), rows, Keys::Uniform, &mut random);
        vec![("key", keys), ("payload", payloads(range.count(), PAYLOAD_BYTES, &mut random))]
    })?;
    write_table(&folder.join("right"), rows, |range| {
        let keys = right_keys(range.clone());
        vec![("key", keys), ("payload", payloads(range.count(), PAYLOAD_BYTES, &mut random))]
    })
}

/// Random keys of the right table.
fn left_keys(range: Range<u64>, rows: u64, spread: Keys, random: &mut Random) -> ArrayRef {
    let number = |random: &mut Random| match spread {
        Keys::Skewed if random.percent(HOT_PERCENT) => HOT,
        _ => random.below(rows),
    };
    Arc::new(Int64Array::from_iter_values(range.map(|_| scramble(number(random)) as i64)))
}

/// A different key for every row.
fn right_keys(range: Range<u64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(range.map(|row| scramble(row) as i64)))
}

/// Random numbers below `limit`.
fn numbers(range: Range<u64>, limit: u64, random: &mut Random) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(range.map(|_| random.below(limit) as i64)))
}
