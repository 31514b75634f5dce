//! Reads and validates a Parquet footer.
//!
//! The errors have class data and name the file. The counts in the footer are checked before it is decoded
//! (`thrift`). Every column chunk must be within the file: a row group with a wrong position would belong to
//! no task, and its rows would silently be missing.

use std::sync::Arc;

use bytes::Bytes;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData};

use super::WHAT;
use super::thrift::is_sound_footer;
use crate::error::{Error, Result};
use crate::source::guard::decoding;
use crate::source::ranges::RangedFile;
use crate::source::split::Piece;

/// The magic bytes at both ends of a file.
const MAGIC: &[u8] = b"PAR1";
/// The magic bytes at the end of a file with an encrypted footer.
const ENCRYPTED: &[u8] = b"PARE";
/// The magic bytes at both ends, and the length of the footer.
const MIN_BYTES: u64 = 12;
/// The length of the footer, and the magic bytes after it.
const TRAILER_BYTES: usize = 8;
/// The most rows in one group: a damaged count must not keep a task busy for hours.
const MAX_ROWS: i64 = i32::MAX as i64;

/// The metadata of the file at `address`.
pub(super) fn read(file: &RangedFile, address: &str) -> Result<ArrowReaderMetadata> {
    if file.size() < MIN_BYTES {
        return Err(Error::data("the file is too short to be a Parquet file").at("file", address));
    }
    let bytes = bytes(file).map_err(|e| e.at("file", address))?;
    decoding(WHAT, address, || {
        let metadata = ParquetMetaDataReader::decode_metadata(&bytes)?;
        check(&metadata, file.size()).map_err(ParquetError::General)?;
        ArrowReaderMetadata::try_new(Arc::new(metadata), ArrowReaderOptions::new())
    })
}

/// The bytes of the footer, after a check of its counts.
fn bytes(file: &RangedFile) -> Result<Bytes> {
    let trailer_at = file.size() - TRAILER_BYTES as u64;
    let trailer = file.bytes(trailer_at, TRAILER_BYTES)?;
    let (length, magic) = trailer.split_at(TRAILER_BYTES - MAGIC.len());
    if magic == ENCRYPTED {
        return Err(Error::data("the Parquet file is encrypted").help("encrypted files cannot be read"));
    }
    if magic != MAGIC {
        return Err(Error::data("the file does not end as a Parquet file does")
            .help("is it another format, or was it cut off?"));
    }
    let length = length.iter().rev().fold(0u64, |length, byte| length << 8 | u64::from(*byte));
    let start = trailer_at.checked_sub(length).filter(|start| *start >= MAGIC.len() as u64);
    let start = start.ok_or_else(|| {
        Error::data(format!("the Parquet footer is {length} bytes long, in a file of {} bytes", file.size()))
    })?;
    let bytes = file.bytes(start, length as usize)?;
    if is_sound_footer(&bytes) {
        return Ok(bytes);
    }
    Err(Error::data("the Parquet footer is corrupt").at("byte", start))
}

/// The row groups whose middle is in `piece`.
pub(super) fn owned_groups(metadata: &ParquetMetaData, piece: &Piece) -> Vec<usize> {
    let groups = metadata.row_groups().iter().enumerate();
    let owned = groups.filter(|(_, group)| (piece.start..piece.end).contains(&middle(group)));
    owned.map(|(index, _)| index).collect()
}

/// For each of these row groups, its number of rows and the number of rows before it in the file.
pub(super) fn rows(metadata: &ParquetMetaData, groups: &[usize]) -> Arc<[(u64, u64)]> {
    let mut first = 0;
    let all = metadata.row_groups().iter().map(|group| {
        let rows = group.num_rows() as u64;
        first += rows;
        (rows, first - rows)
    });
    let all: Vec<_> = all.collect();
    groups.iter().map(|&index| all[index]).collect()
}

/// The byte in the middle of a row group; 0 for one without columns.
fn middle(group: &RowGroupMetaData) -> u64 {
    let ranges = group.columns().iter().map(|column| column.byte_range());
    let (start, end) = ranges
        .fold((u64::MAX, 0), |(first, last), (start, bytes)| (first.min(start), last.max(start + bytes)));
    if end < start { 0 } else { start + (end - start) / 2 }
}

fn check(metadata: &ParquetMetaData, size: u64) -> std::result::Result<(), String> {
    for (index, group) in metadata.row_groups().iter().enumerate() {
        if !(0..=MAX_ROWS).contains(&group.num_rows()) {
            return Err(format!("row group {index} has {} rows", group.num_rows()));
        }
        for column in group.columns() {
            let (start, bytes) = column.byte_range();
            // The middle of a chunk at the very end would belong to no piece; in a valid file the footer is
            // there.
            if bytes == 0 && group.num_rows() > 0 || start.checked_add(bytes).is_none_or(|end| end >= size) {
                let text = format!("row group {index} has its data at {start}, {bytes} bytes");
                return Err(format!("{text}, in a file of {size} bytes"));
            }
        }
    }
    Ok(())
}
