//! Reads a whole file at once, for rows that are files.

use super::decode::{Codec, Decoder};
use super::reader::Reader;
use super::split::Piece;
use crate::error::{Error, Result};

/// The largest file that is read as one row: a task has several copies of it in memory.
pub const MAX_FILE_BYTES: usize = 1 << 30;
/// The most bytes per read. The buffer is zeroed first, so it is smaller for a small file.
const STEP_BYTES: usize = 1 << 20;
/// The smallest buffer, when no more bytes are expected.
const SPARE_BYTES: usize = 4 << 10;

/// The bytes of the file of `piece`, decompressed by its extension if `decompress` is set.
///
/// # Errors
/// Of class data for a file over [`MAX_FILE_BYTES`] or a damaged compressed stream.
pub fn read_whole(piece: &Piece, decompress: bool) -> Result<Vec<u8>> {
    let codec = if decompress { Codec::of(&piece.address) } else { Codec::Plain };
    let size = usize::try_from(piece.size).unwrap_or(usize::MAX).min(MAX_FILE_BYTES);
    let mut bytes = Vec::with_capacity(size + SPARE_BYTES);
    let placed = |e: Error| e.at("file", &piece.address);
    let mut decoder = Decoder::new(codec, Reader::open(piece, 0)?).map_err(placed)?;
    loop {
        let filled = bytes.len();
        // A compressed file yields more than its size: read as much again as there is.
        let step = if filled > size { filled } else { size - filled };
        bytes.resize(filled + step.clamp(SPARE_BYTES, STEP_BYTES), 0);
        let count = decoder.read(&mut bytes[filled..]).map_err(placed)?;
        bytes.truncate(filled + count);
        if count == 0 {
            return Ok(bytes);
        }
        if bytes.len() > MAX_FILE_BYTES {
            let text = format!("the file is larger than {} MiB and cannot be one row", MAX_FILE_BYTES >> 20);
            return Err(placed(Error::data(text)));
        }
    }
}
