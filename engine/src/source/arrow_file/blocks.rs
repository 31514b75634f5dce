//! Where the batches of an Arrow file lie, checked before anything is read from there.
//!
//! A file enters; its schema and the blocks that a piece owns leave, or an error. A decoder allocates what
//! the lengths in a file ask for; one flipped bit there must not end the process.

use std::io::Read;
use std::sync::Arc;
use std::vec::IntoIter;

use arrow::buffer::Buffer;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::convert::fb_to_schema;
use arrow::ipc::reader::read_footer_length;
use arrow::ipc::{Block, MetadataVersion, root_as_footer, root_as_message};

use crate::source::ranges::RangedFile;
use crate::source::split::Piece;

/// The length of the footer and the magic bytes.
const TRAILER_BYTES: u64 = 10;
/// What stands before the length of a message since version 0.15 of the format.
const CONTINUATION: [u8; 4] = [0xff; 4];

/// The table of a file.
pub(super) struct Blocks {
    pub(super) schema: SchemaRef,
    pub(super) version: MetadataVersion,
    pub(super) dictionaries: Vec<Block>,
    /// The batches that the piece owns.
    pub(super) owned: IntoIter<Block>,
}

impl Blocks {
    /// Reads the footer; `piece` owns the batches whose middle lies in it.
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
        let owned: Vec<Block> = batches.into_iter().filter(|block| owns(piece, block)).collect();
        let dictionaries = footer.dictionaries().into_iter().flatten().copied();
        Ok(Blocks {
            schema: Arc::new(fb_to_schema(schema)),
            version: footer.version(),
            dictionaries: dictionaries.map(|block| check(block, file.size())).collect::<Result<_, _>>()?,
            owned: owned.into_iter(),
        })
    }
}

/// The bytes of a checked block.
pub(super) fn bytes(file: &RangedFile, block: &Block) -> Result<Buffer, ArrowError> {
    let bytes = file.bytes(block.offset() as u64, length(block) as usize).map_err(external)?;
    Ok(Buffer::from(bytes))
}

/// Walks over the messages of a stream and checks that each lies in the file.
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
        let end = u64::try_from(message.bodyLength())
            .ok()
            .and_then(|body| at.checked_add(metadata_bytes as u64 + body));
        at = end.filter(|end| *end <= file.size()).ok_or_else(|| broken("a message ends behind the file"))?;
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

fn length(block: &Block) -> u64 {
    block.metaDataLength() as u64 + block.bodyLength() as u64
}

fn owns(piece: &Piece, block: &Block) -> bool {
    (piece.start..piece.end).contains(&(block.offset() as u64 + length(block) / 2))
}

fn broken(text: &str) -> ArrowError {
    ArrowError::IpcError(text.to_owned())
}

fn external(error: crate::error::Error) -> ArrowError {
    ArrowError::ExternalError(Box::new(error))
}
