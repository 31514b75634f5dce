//! Reads a Parquet footer and does not believe it.
//!
//! The file enters, its metadata leaves, or an error of class data that names the file. Every column
//! chunk must lie in the file: a row group whose place is wrong would belong to no task at all, and its rows
//! would silently be missing.

use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};

use super::WHAT;
use crate::error::{Error, Result};
use crate::source::guard::decoding;
use crate::source::ranges::RangedFile;
use crate::source::split::Piece;

/// `PAR1` at both ends, and the length of the footer.
const MIN_BYTES: u64 = 12;

/// The metadata of the file at `address`.
pub(super) fn read(file: &RangedFile, address: &str) -> Result<ArrowReaderMetadata> {
    if file.size() < MIN_BYTES {
        return Err(Error::data("the file is too short to be a Parquet file").at("file", address));
    }
    decoding(WHAT, address, || {
        let footer = ArrowReaderMetadata::load(file, ArrowReaderOptions::new())?;
        match check(footer.metadata(), file.size()) {
            Ok(()) => Ok(footer),
            Err(text) => Err(ParquetError::General(text)),
        }
    })
}

/// The row groups whose middle lies in `piece`.
pub(super) fn owned_groups(metadata: &ParquetMetaData, piece: &Piece) -> Vec<usize> {
    let groups = metadata.row_groups().iter().enumerate();
    let owned = groups.filter(|(_, group)| (piece.start..piece.end).contains(&middle(group)));
    owned.map(|(index, _)| index).collect()
}

/// The byte in the middle of a row group; of one without columns, the first byte.
fn middle(group: &RowGroupMetaData) -> u64 {
    let ranges = group.columns().iter().map(|column| column.byte_range());
    let (start, end) = ranges
        .fold((u64::MAX, 0), |(first, last), (start, bytes)| (first.min(start), last.max(start + bytes)));
    if end < start { 0 } else { start + (end - start) / 2 }
}

fn check(metadata: &ParquetMetaData, size: u64) -> std::result::Result<(), String> {
    for (index, group) in metadata.row_groups().iter().enumerate() {
        if group.num_rows() < 0 {
            return Err(format!("row group {index} has {} rows", group.num_rows()));
        }
        for column in group.columns() {
            let (start, bytes) = column.byte_range();
            // The middle of a chunk at the very end would belong to nobody; the footer lies there anyway.
            if bytes == 0 && group.num_rows() > 0 || start.checked_add(bytes).is_none_or(|end| end >= size) {
                let text = format!("row group {index} has its data at {start}, {bytes} bytes");
                return Err(format!("{text}, in a file of {size} bytes"));
            }
        }
    }
    Ok(())
}
