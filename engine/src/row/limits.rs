//! How large a batch may become, and a row.
//!
//! **The rule.** A batch ends at a number of rows or at a number of bytes, whichever it reaches first,
//! wherever it is made: by a reader of files, before an exchange, in a sort, and at the end of an aggregate, a
//! join or a chain. A batch therefore holds at most its limit and one row. A row has a limit of its own, so
//! that both together stay below the 2 GiB at which Arrow's 32-bit offsets end: offsets cannot overflow,
//! and a row that is too large is an error of class resource, never a corrupt file.

use arrow::datatypes::{DataType, Schema};

use crate::error::{Error, Result};

/// Bytes of one row as columns at most. A file that is read as one row fits, with its address.
pub const MAX_ROW_BYTES: usize = 3 << 29;
/// Bytes of a batch at most, about, where its maker has no smaller limit.
pub const BATCH_BYTES: usize = 4 << 20;

/// Where a batch ends: at so many rows or at so many bytes, whichever it reaches first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchLimits {
    /// Rows in one batch at most.
    pub rows: usize,
    /// Bytes after which no row is added to a batch. As the limit of a stage's end:
    /// bytes that the unfinished batches of one operator may hold together.
    pub bytes: usize,
}

impl BatchLimits {
    /// Whether a batch of `rows` in `bytes` ends here.
    #[inline]
    pub fn are_reached(self, rows: usize, bytes: usize) -> bool {
        bytes >= self.bytes || rows >= self.rows
    }

    /// How many rows of about `row_bytes` each make a batch: one at least.
    pub fn rows_of(self, row_bytes: usize) -> usize {
        (self.bytes / row_bytes.max(1)).min(self.rows).max(1)
    }

    /// The smaller one of both limits.
    pub fn min(self, other: BatchLimits) -> BatchLimits {
        BatchLimits { rows: self.rows.min(other.rows), bytes: self.bytes.min(other.bytes) }
    }
}

/// Refuses a row that takes more than [`MAX_ROW_BYTES`].
///
/// # Errors
/// Of class resource, with the size of the row and the limit.
#[inline]
pub fn check_row(bytes: usize) -> Result<()> {
    if bytes <= MAX_ROW_BYTES { Ok(()) } else { Err(too_large(bytes)) }
}

/// The error about a row of `bytes`.
#[cold]
fn too_large(bytes: usize) -> Error {
    let text = format!("a row takes {bytes} bytes, a row may take {MAX_ROW_BYTES}");
    Error::resource(text).help("make smaller rows, for example one for each part of a text or of a list")
}

/// Bytes that a row of these columns takes even if all of its texts and lists are empty, about: what bounds the
/// batches of wide rows before their first value is known.
pub fn least_row_bytes(schema: &Schema) -> usize {
    schema.fields().iter().map(|field| least_bytes(field.data_type())).sum()
}

fn least_bytes(data_type: &DataType) -> usize {
    match data_type {
        DataType::Struct(fields) => fields.iter().map(|field| least_bytes(field.data_type())).sum(),
        DataType::FixedSizeBinary(width) => usize::try_from(*width).unwrap_or_default(),
        // An offset, or the key of a dictionary.
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
