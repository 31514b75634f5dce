//! The positions of the batches in an Arrow file, checked before anything is read from them.
//!
//! A decoder allocates whatever the lengths in a file ask for; one flipped bit there must not abort the
//! process. So a block outside the file is an error here.

use std::io::Read;
use std::ops::Range;
use std::sync::Arc;
use std::vec::IntoIter;

use arrow::buffer::Buffer;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::convert::fb_to_schema;
use arrow::ipc::reader::read_footer_length;
use arrow::ipc::{Block, Message, MetadataVersion, root_as_footer, root_as_message};

use crate::error::Error;
use crate::source::ranges::RangedFile;
use crate::source::split::Piece;

/// The bytes of the footer's length and the magic bytes.
const TRAILER_BYTES: u64 = 10;
/// The marker before the length of a message since version 0.15 of the format.
const CONTINUATION: [u8; 4] = [0xff; 4];
/// The most bytes that the columns of one compressed batch may have after decompression. Writers make batches
/// of some ten thousand rows.
const MAX_BATCH_BYTES: u64 = 512 << 20;
/// The bytes of the uncompressed length before each compressed buffer.
const LENGTH_BYTES: usize = 8;

/// The table of batches of a file.
pub(super) struct Blocks {
    pub(super) schema: SchemaRef,
    pub(super) version: MetadataVersion,
    pub(super) dictionaries: Vec<Block>,
    /// The batches that the piece owns.
    pub(super) owned: IntoIter<Block>,
    /// The batches before those in the table.
    pub(super) before: Arc<[Block]>,
}

impl Blocks {
    /// Reads the footer; `piece` owns the batches whose middle is in it.
    pub(super) fn read(file: &RangedFile, piece: &Piece) -> Result<Blocks, ArrowError> {
        let trailer_at = file.size().checked_sub(TRAILER_BYTES).ok_or_else(|| broken("too short"))?;
        let mut trailer = [0; TRAILER_BYTES as usize];
        file.reader(trailer_at).read_exact(&mut trailer)?;
        let footer_bytes = read_footer_length(trailer)?;
        let footer_at =
            trailer_at.checked_sub(footer_bytes as u64).ok_or_else(|| broken("too long a footer"))?;
        let footer = file.bytes(footer_at, footer_bytes).map_err(external)?;
        let footer = root_as_footer(&footer).map_err(|e| broken(&e.to_string()))?;
        let schema = footer.schema().ok_or_else(|| broken("no schema"))?;
        let batches = footer.recordBatches().into_iter().flatten().copied();
        let batches = batches.map(|block| check(block, file.size())).collect::<Result<Vec<_>, _>>()?;
        let before = batches.iter().take_while(|block| !owns(piece, block)).copied().collect();
        let owned: Vec<Block> = batches.into_iter().filter(|block| owns(piece, block)).collect();
        let dictionaries = footer.dictionaries().into_iter().flatten().copied();
        Ok(Blocks {
            schema: Arc::new(fb_to_schema(schema)),
            version: footer.version(),
            dictionaries: dictionaries.map(|block| check(block, file.size())).collect::<Result<_, _>>()?,
            owned: owned.into_iter(),
            before,
        })
    }
}

/// The bytes of a checked block; fails if its compressed columns are too large.
pub(super) fn bytes(file: &RangedFile, block: &Block) -> Result<Buffer, ArrowError> {
    let bytes = file.bytes(block.offset() as u64, length(block) as usize).map_err(external)?;
    let (metadata, _) = bytes.split_at(block.metaDataLength() as usize);
    check_compressed(&message(metadata)?, block.offset() as u64 + block.metaDataLength() as u64, file)?;
    Ok(Buffer::from(bytes))
}

/// The number of rows in checked blocks, from the metadata before their columns; `None` if that is damaged.
pub(super) fn rows(file: &RangedFile, blocks: &[Block]) -> Option<u64> {
    let mut rows = 0u64;
    for block in blocks {
        let metadata = file.bytes(block.offset() as u64, block.metaDataLength() as usize).ok()?;
        let length = message(&metadata).ok()?.header_as_record_batch()?.length();
        rows = rows.checked_add(u64::try_from(length).ok()?)?;
    }
    Some(rows)
}

/// The message in a block, which follows its length.
fn message(metadata: &[u8]) -> Result<Message<'_>, ArrowError> {
    let prefix = if metadata.starts_with(&CONTINUATION) { 8 } else { 4 };
    let message = metadata.get(prefix..).ok_or_else(|| broken("a batch is too short"))?;
    root_as_message(message).map_err(|e| broken(&e.to_string()))
}

/// Reads the messages of a stream and checks that each is within the file, and that an end mark follows.
///
/// The format also lets a stream end with its connection. In a file such an end cannot be distinguished from
/// a truncation between two batches, so a file must have the mark. The writers of all libraries write it when
/// they are closed.
pub(super) fn check_stream(file: &RangedFile) -> Result<(), ArrowError> {
    let mut at = 0;
    while file.size().saturating_sub(at) >= 4 {
        let mut word = [0; 4];
        file.reader(at).read_exact(&mut word)?;
        at += 4;
        if word == CONTINUATION {
            file.reader(at).read_exact(&mut word)?;
            at += 4;
        }
        let metadata_bytes = u32::from_le_bytes(word) as usize;
        if metadata_bytes == 0 {
            return Ok(());
        }
        let metadata = file.bytes(at, metadata_bytes).map_err(external)?;
        let message = root_as_message(&metadata).map_err(|e| broken(&e.to_string()))?;
        let body_at = at + metadata_bytes as u64;
        let end = u64::try_from(message.bodyLength()).ok().and_then(|body| body_at.checked_add(body));
        at = end.filter(|end| *end <= file.size()).ok_or_else(|| broken("a message ends behind the file"))?;
        check_compressed(&message, body_at, file)?;
    }
    let error = Error::data("the Arrow stream ends without its end mark");
    Err(external(error.help("was the file cut off, or its writer not closed?").at("byte", at)))
}

/// Checks the total of the lengths that the compressed columns of a batch declare: the decoder allocates that
/// much.
fn check_compressed(message: &Message<'_>, body_at: u64, file: &RangedFile) -> Result<(), ArrowError> {
    let dictionary = || message.header_as_dictionary_batch()?.data();
    let batch = message.header_as_record_batch().or_else(dictionary);
    let Some(batch) = batch.filter(|batch| batch.compression().is_some()) else { return Ok(()) };
    let mut total = 0u64;
    for buffer in batch.buffers().into_iter().flatten().filter(|buffer| buffer.length() > 0) {
        let at = u64::try_from(buffer.offset()).ok().and_then(|offset| body_at.checked_add(offset));
        let at = at.ok_or_else(|| broken("a column lies outside of the file"))?;
        let mut length = [0; LENGTH_BYTES];
        length.copy_from_slice(&file.bytes(at, LENGTH_BYTES).map_err(external)?);
        // A negative length means that the column is not compressed.
        total = total.saturating_add(u64::try_from(i64::from_le_bytes(length)).unwrap_or(0));
    }
    if total > MAX_BATCH_BYTES {
        return Err(broken(&format!("a batch holds {total} bytes, at most {MAX_BATCH_BYTES} are read")));
    }
    Ok(())
}

fn check(block: Block, size: u64) -> Result<Block, ArrowError> {
    let lengths_fit = block.offset() >= 0 && block.metaDataLength() >= 0 && block.bodyLength() >= 0;
    let end = (block.offset() as u64).checked_add(block.metaDataLength() as u64);
    let end = end.and_then(|end| end.checked_add(block.bodyLength() as u64));
    match end {
        Some(end) if lengths_fit && end <= size => Ok(block),
        _ => Err(broken("a batch lies outside of the file")),
    }
}

/// The range of a checked block in the file.
pub(super) fn range(block: &Block) -> Range<u64> {
    let start = block.offset() as u64;
    start..start + length(block)
}

fn length(block: &Block) -> u64 {
    block.metaDataLength() as u64 + block.bodyLength() as u64
}

fn owns(piece: &Piece, block: &Block) -> bool {
    (piece.start..piece.end).contains(&(block.offset() as u64 + length(block) / 2))
}

fn broken(text: &str) -> ArrowError {
    ArrowError::IpcError(text.to_owned())
}

fn external(error: Error) -> ArrowError {
    ArrowError::ExternalError(Box::new(error))
}
