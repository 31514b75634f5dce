//! The rows to sort: random keys with incompressible payloads.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringBuilder};
use kiln::Result;

use super::COLUMNS;
use crate::data::DEFAULT_SEED;
use crate::data::random::Random;
use crate::data::table::write_table;

/// Size of a payload.
pub const PAYLOAD_BYTES: usize = 90;

/// Writes a table of `rows` rows to `folder`.
///
/// # Errors
/// Fails when a file cannot be written.
pub fn table(folder: &Path, rows: u64) -> Result<()> {
    let mut random = Random::new(DEFAULT_SEED);
    write_table(folder, rows, |range| {
        let keys = Int64Array::from_iter_values(range.clone().map(|_| random.bits() as i64));
        let payloads = payloads(range.count(), PAYLOAD_BYTES, &mut random);
        COLUMNS.into_iter().zip([Arc::new(keys) as ArrayRef, payloads]).collect()
    })
}

/// A column of random letters.
pub fn payloads(rows: usize, bytes: usize, random: &mut Random) -> ArrayRef {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    /// Letters of 6 bits per random number.
    const AT_ONCE: usize = 10;
    let mut column = StringBuilder::with_capacity(rows, rows * bytes);
    let mut payload = String::with_capacity(bytes + AT_ONCE);
    for _ in 0..rows {
        payload.clear();
        while payload.len() < bytes {
            let bits = random.bits();
            payload.extend((0..AT_ONCE).map(|i| char::from(LETTERS[(bits >> (6 * i)) as usize % 64])));
        }
        column.append_value(&payload[..bytes]);
    }
    Arc::new(column.finish())
}
