//! The join of tables with payloads, as a job: more data than memory.
//!
//! The last letter of the right payload determines the segment, and both ends of the left payload the
//! amount, so both payloads have to arrive.

use std::path::Path;

use kiln::{Context, Result};

use super::segments::{SEGMENTS, Segments};
use crate::address;

/// Joins the tables in `input` and sums by the last letter of the right payload.
///
/// # Errors
/// Fails when the job fails.
pub fn run(cx: &Context, input: &Path) -> Result<Segments> {
    let left = cx.read_parquet::<(i64, String)>(&address(&input.join("left")));
    let right = cx.read_parquet::<(i64, String)>(&address(&input.join("right")));
    let sums = left
        .join(right)
        .map(|(_, (left, right)): (i64, (&str, &str))| (segment(right), (1i64, amount(left))))
        .reduce_by_key(|(n, amount), (m, other)| (n + m, amount + other));
    let mut segments = Segments::default();
    sums.collect()?.into_iter().for_each(|(segment, (rows, amount))| segments.add(segment, rows, amount));
    Ok(segments)
}

/// The segment of a payload, from its last letter.
fn segment(payload: &str) -> i64 {
    i64::from(payload.bytes().last().unwrap_or(0)) % SEGMENTS as i64
}

/// The amount of a payload, from its first and last letter.
fn amount(payload: &str) -> i64 {
    let letter = |byte: Option<u8>| i64::from(byte.unwrap_or(0));
    letter(payload.bytes().next()) * letter(payload.bytes().last())
}
