//! Reads the batches of a piece of an Arrow IPC file, or of a stream that was saved to a file.
//!
//! Batches are split to the wanted size. The file format has a table of its batches: a piece owns those whose
//! middle is in it. The stream format has no table, so the piece at its start owns the whole stream. In both
//! formats, lengths are compared with the size of the file before memory is allocated for them (`blocks`).
//! Batches may be compressed: DataFusion enables the codecs of arrow for its own spill files.

mod blocks;

use std::io::BufReader;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, OffsetSizeTrait, RecordBatch};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::Block;
use arrow::ipc::reader::{FileDecoder, StreamReader};

use self::blocks::{Blocks, check_stream};
use super::adapt::{Adapter, Wanted};
use super::batches::{Batches, Places};
use super::guard::decoding;
use super::ranges::{RangeReader, RangedFile};
use super::split::Piece;
use crate::error::{Error, Result};
use crate::row::{BatchLimits, bytes_of, check_row};

/// The name of the format in messages.
const WHAT: &str = "Arrow";
/// The magic bytes at both ends of the file format.
const MAGIC: &[u8] = b"ARROW1";
/// The most rows in one batch: a damaged count must not keep a task busy for hours.
const MAX_ROWS: usize = i32::MAX as usize;
/// The most bytes of stored batches that are buffered for one reader.
const MAX_PLANNED_BYTES: u64 = 32 << 20;
/// How much of a stream is read at once.
const BUFFER_BYTES: usize = 128 << 10;

/// The batches that a piece owns.
pub struct ArrowBatches {
    file: RangedFile,
    address: String,
    origin: Origin,
    adapter: Adapter,
    limits: BatchLimits,
    /// The rest of the batch that was read last.
    rest: Option<RecordBatch>,
    row: u64,
    /// The batches of the file before those of the piece.
    before: Arc<[Block]>,
}

enum Origin {
    File {
        decoder: FileDecoder,
        blocks: Blocks,
    },
    Stream(Box<StreamReader<BufReader<RangeReader>>>),
    /// The piece owns nothing.
    Nothing,
}

impl ArrowBatches {
    /// Reads the schema and finds the columns and batches.
    ///
    /// # Errors
    /// Of class data for a file that is damaged or whose columns do not fit.
    pub fn open(piece: &Piece, wanted: &Wanted) -> Result<ArrowBatches> {
        let file = RangedFile::open(piece)?;
        let start =
            file.bytes(0, MAGIC.len().min(file.size() as usize)).map_err(|e| e.at("file", &piece.address))?;
        let (origin, adapter) = match &*start {
            MAGIC => open_file(&file, piece, wanted)?,
            _ => open_stream(&file, piece, wanted)?,
        };
        if let Origin::File { blocks, .. } = &origin {
            file.plan(
                blocks.owned.as_slice().iter().map(|block| vec![blocks::range(block)]).collect(),
                MAX_PLANNED_BYTES,
            );
        }
        let (address, limits) = (piece.address.clone(), wanted.limits);
        let before = match &origin {
            Origin::File { blocks, .. } => Arc::clone(&blocks.before),
            Origin::Stream(_) | Origin::Nothing => Arc::default(),
        };
        Ok(ArrowBatches { file, address, origin, adapter, limits, rest: None, row: 0, before })
    }

    fn read(&mut self) -> Result<Option<RecordBatch>> {
        let file = &self.file;
        let batch = decoding(WHAT, &self.address, || match &mut self.origin {
            Origin::Nothing => Ok(None),
            Origin::Stream(reader) => reader.next().transpose(),
            Origin::File { decoder, blocks } => match blocks.owned.next() {
                None => Ok(None),
                Some(block) => decoder.read_record_batch(&block, &blocks::bytes(file, &block)?),
            },
        })?;
        match batch {
            Some(batch) if batch.num_rows() > MAX_ROWS => {
                let text = format!("a batch has {} rows, at most {MAX_ROWS} are read", batch.num_rows());
                Err(Error::data(text).at("file", &self.address))
            }
            batch => Ok(batch),
        }
    }

    /// The next rows, as many as the limits allow.
    fn next_rows(&mut self) -> Result<Option<RecordBatch>> {
        let batch = loop {
            match self.rest.take() {
                Some(batch) => break batch,
                None => match self.read()? {
                    None => return Ok(None),
                    Some(batch) => self.rest = Some(batch).filter(|batch| batch.num_rows() > 0),
                },
            }
        };
        let rows = first_rows(&batch, self.limits)?;
        if batch.num_rows() <= rows {
            return Ok(Some(batch));
        }
        self.rest = Some(batch.slice(rows, batch.num_rows() - rows));
        Ok(Some(batch.slice(0, rows)))
    }
}

impl Batches for ArrowBatches {
    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        let Some(batch) = self.next_rows()? else { return Ok(None) };
        let first = self.row;
        self.row += batch.num_rows() as u64;
        self.adapter.adapt(&batch, |row| self.places().of(first + row as u64)).map(Some)
    }

    fn bytes_read(&self) -> u64 {
        self.file.bytes_read()
    }

    fn places(&self) -> Places {
        let (file, before) = (self.file.clone(), Arc::clone(&self.before));
        let mut first = None;
        let find = move |row| {
            let first = *first.get_or_insert_with(|| blocks::rows(&file, &before));
            first.map(|first| first + row)
        };
        Places { unit: "row", find: Box::new(find) }
    }
}

/// How many rows at the start of `batch` fit in the limits of one batch.
///
/// # Errors
/// Of class resource when the first row is too large for any batch.
fn first_rows(batch: &RecordBatch, limits: BatchLimits) -> Result<usize> {
    let mut rows = limits.rows.min(batch.num_rows());
    loop {
        let some = batch.slice(0, rows);
        let bytes = bytes_of(&some) + some.columns().iter().map(bytes_behind).sum::<usize>();
        if rows <= 1 {
            return check_row(bytes).map(|()| rows);
        }
        if bytes <= limits.bytes {
            return Ok(rows);
        }
        // If the rows have about the same size, the first guess is right.
        rows = limits.rows_of(bytes / rows).min(rows / 2).max(1);
    }
}

/// Bytes of the dictionary values that a column refers to, counted once for each row.
fn bytes_behind(column: &ArrayRef) -> usize {
    let Some(column) = column.as_any_dictionary_opt().filter(|column| !column.values().is_empty()) else {
        return 0;
    };
    let lengths = match column.values().data_type() {
        DataType::Utf8 => Lengths::of(column.values().as_string::<i32>().offsets()),
        DataType::Binary => Lengths::of(column.values().as_binary::<i32>().offsets()),
        DataType::LargeUtf8 => Lengths::of(column.values().as_string::<i64>().offsets()),
        DataType::LargeBinary => Lengths::of(column.values().as_binary::<i64>().offsets()),
        _ => return 0,
    };
    let keys = column.normalized_keys().into_iter().enumerate();
    keys.filter(|(row, _)| column.is_valid(*row)).map(|(_, key)| lengths.0[key]).sum()
}

/// The bytes of each value of a dictionary.
struct Lengths(Vec<usize>);

impl Lengths {
    fn of<O: OffsetSizeTrait>(offsets: &OffsetBuffer<O>) -> Lengths {
        Lengths(offsets.windows(2).map(|pair| (pair[1] - pair[0]).as_usize()).collect())
    }
}

fn open_file(file: &RangedFile, piece: &Piece, wanted: &Wanted) -> Result<(Origin, Adapter)> {
    let blocks = decoding(WHAT, &piece.address, || Blocks::read(file, piece))?;
    let adapter = Adapter::new(wanted, &piece.address, &blocks.schema)?;
    let decoder = decoding(WHAT, &piece.address, || {
        let decoder = FileDecoder::new(SchemaRef::clone(&blocks.schema), blocks.version);
        let mut decoder = decoder.with_projection(adapter.projection().to_vec());
        for block in &blocks.dictionaries {
            decoder.read_dictionary(block, &blocks::bytes(file, block)?)?;
        }
        Ok::<_, ArrowError>(decoder)
    })?;
    Ok((Origin::File { decoder, blocks }, adapter))
}

fn open_stream(file: &RangedFile, piece: &Piece, wanted: &Wanted) -> Result<(Origin, Adapter)> {
    let read = |projection| {
        let reader = BufReader::with_capacity(BUFFER_BYTES, file.reader(0));
        StreamReader::try_new(reader, projection)
    };
    let schema = decoding(WHAT, &piece.address, || {
        check_stream(file)?;
        Ok::<_, ArrowError>(read(None)?.schema())
    })?;
    let adapter = Adapter::new(wanted, &piece.address, &schema)?;
    if piece.start > 0 {
        return Ok((Origin::Nothing, adapter));
    }
    let projection = adapter.projection().to_vec();
    let reader = decoding(WHAT, &piece.address, || read(Some(projection)))?;
    Ok((Origin::Stream(Box::new(reader)), adapter))
}
