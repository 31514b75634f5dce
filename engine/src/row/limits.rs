//! Limits on the size of a batch and of a row.
//!
//! **The rule.** A batch is complete at a number of rows or a number of bytes, whichever it reaches
//! first. This holds wherever batches are made: in a file reader, before an exchange, in a sort, and at
//! the end of an aggregate, a join or a chain. A batch therefore exceeds its limit by at most one row.
//! Rows have a limit of their own, so that both together stay below 2 GiB, where Arrow's 32-bit offsets
//! end. Offsets cannot overflow, and a row that is too large is an error of class resource, never a
//! corrupt file.

use arrow::datatypes::{DataType, Schema};

use crate::error::{Error, Result};

/// Upper limit of the size of one row as columns. A file that is read as one row, and its path, fit.
pub const MAX_ROW_BYTES: usize = 3 << 29;
/// Approximate upper limit of the size of a batch, unless its producer has a smaller one.
pub const BATCH_BYTES: usize = 4 << 20;

/// The number of rows or of bytes at which a batch is complete, whichever it reaches first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchLimits {
    /// Upper limit of the rows in one batch.
    pub rows: usize,
    /// Bytes after which no row is added to a batch. At the end of a stage: bytes that the unfinished
    /// batches of one operator may hold together.
    pub bytes: usize,
}

impl BatchLimits {
    /// Whether a batch of `rows` rows and `bytes` bytes is complete.
    #[inline]
    pub fn are_reached(self, rows: usize, bytes: usize) -> bool {
        bytes >= self.bytes || rows >= self.rows
    }

    /// Number of rows of about `row_bytes` each in one batch: at least one.
    pub fn rows_of(self, row_bytes: usize) -> usize {
        (self.bytes / row_bytes.max(1)).min(self.rows).max(1)
    }

    /// The smaller limit of both, for rows and for bytes.
    pub fn min(self, other: BatchLimits) -> BatchLimits {
        BatchLimits { rows: self.rows.min(other.rows), bytes: self.bytes.min(other.bytes) }
    }
}

/// Fails for a row of more than [`MAX_ROW_BYTES`].
///
/// # Errors
/// Fails with a resource error that names the size of the row and the limit.
#[inline]
pub fn check_row(bytes: usize) -> Result<()> {
    if bytes <= MAX_ROW_BYTES { Ok(()) } else { Err(too_large(bytes)) }
}

/// The error for a row of `bytes`.
#[cold]
fn too_large(bytes: usize) -> Error {
    let text = format!("a row takes {bytes} bytes, a row may take {MAX_ROW_BYTES}");
    Error::resource(text).help("make smaller rows, for example one for each part of a text or of a list")
}

/// Approximate size of a row of this schema if all of its strings and lists are empty. Bounds the
/// batches of wide rows before the first value has been read.
pub fn least_row_bytes(schema: &Schema) -> usize {
    schema.fields().iter().map(|field| least_bytes(field.data_type())).sum()
}

fn least_bytes(data_type: &DataType) -> usize {
    match data_type {
        DataType::Struct(fields) => fields.iter().map(|field| least_bytes(field.data_type())).sum(),
        DataType::FixedSizeBinary(width) => usize::try_from(*width).unwrap_or_default(),
        // The width of an offset or of a dictionary key.
        other => other.primitive_width().unwrap_or(4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::schema;

    #[test]
    fn a_batch_ends_at_rows_or_at_bytes() {
        let limits = BatchLimits { rows: 100, bytes: 1000 };
        for (rows, bytes, ends) in [(0, 0, false), (99, 999, false), (100, 1, true), (1, 1000, true)] {
            assert_eq!(limits.are_reached(rows, bytes), ends, "{rows} rows, {bytes} bytes");
        }
        assert_eq!([0, 1, 20, 1000, 5000].map(|bytes| limits.rows_of(bytes)), [100, 100, 50, 1, 1]);
    }

    #[test]
    fn a_row_that_is_too_large_is_a_resource_error_with_its_size_and_the_limit() {
        assert!(check_row(MAX_ROW_BYTES).is_ok());
        let error = check_row(MAX_ROW_BYTES + 1).unwrap_err();
        assert_eq!(error.class(), crate::Class::Resource);
        let text = error.to_string();
        assert!(text.contains("1610612737 bytes") && text.contains("may take 1610612736"), "{text}");
    }

    #[test]
    fn a_full_batch_and_the_largest_row_stay_below_the_end_of_offsets() {
        assert!(BATCH_BYTES + MAX_ROW_BYTES < i32::MAX as usize);
    }

    #[test]
    fn an_empty_row_takes_its_numbers_and_offsets() {
        type Wide = (u64, (String, Vec<u64>), Option<bool>);
        assert_eq!(least_row_bytes(&schema::<Wide>()), 8 + 4 + 4 + 4);
        assert_eq!(least_row_bytes(&schema::<(String, u8)>()), 4 + 1);
    }
}
