//! Batches as Flight messages with a checksum, which is verified before they are decoded.
//!
//! ```text
//!   app_metadata = partition of the task that wrote the rows, u32 │ xxh3-64, u64   (little-endian)
//!                                                  checksum over: partition, data_header, data_body
//! ```
//!
//! TCP's checksum misses one damaged segment in 65536, and memory can be damaged too. A damaged offset would
//! make Arrow read rows that never existed. This module does not know who requests the blocks.

use std::hash::Hasher;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::writer::{DictionaryTracker, IpcDataGenerator, IpcWriteContext, IpcWriteOptions};
use arrow_flight::FlightData;
use bytes::Bytes;
use twox_hash::XxHash3_64;

use crate::row::bytes_of;

/// The most bytes of rows in one message, far below the limit of a message; larger batches are split.
const MAX_BLOCK_BYTES: usize = 32 << 20;
/// The bytes of partition and checksum.
const SEAL_BYTES: usize = 12;
/// The partition number in a message that has no rows, such as a schema.
const NO_PARTITION: u32 = u32::MAX;

/// A message whose content has changed since it was sent.
#[derive(Debug)]
pub(super) struct Damaged;

impl std::fmt::Display for Damaged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a block's checksum does not match")
    }
}

impl std::error::Error for Damaged {}

/// Encodes the batches of one stream.
pub(super) struct Encoder {
    /// The schema that was sent last. A schema is sent before the first batch that has it.
    schema: Option<SchemaRef>,
    generator: IpcDataGenerator,
    dictionaries: DictionaryTracker,
    options: IpcWriteOptions,
    context: IpcWriteContext,
}

impl Encoder {
    pub(super) fn new() -> Encoder {
        Encoder {
            schema: None,
            generator: IpcDataGenerator::default(),
            dictionaries: DictionaryTracker::new(false),
            options: IpcWriteOptions::default(),
            context: IpcWriteContext::default(),
        }
    }

    /// The messages for a batch written by the task of `partition`.
    pub(super) fn encode(
        &mut self,
        partition: u32,
        batch: &RecordBatch,
    ) -> Result<Vec<FlightData>, ArrowError> {
        let mut messages: Vec<FlightData> = self.schema_message(batch).into_iter().collect();
        for piece in pieces(batch) {
            let (dictionaries, rows) =
                self.generator.encode(&piece, &mut self.dictionaries, &self.options, &mut self.context)?;
            messages.extend(dictionaries.into_iter().map(|data| seal(data.into(), partition)));
            messages.push(seal(rows.into(), partition));
        }
        Ok(messages)
    }

    fn schema_message(&mut self, batch: &RecordBatch) -> Option<FlightData> {
        let schema = batch.schema();
        if self.schema.as_ref() == Some(&schema) {
            return None;
        }
        self.dictionaries = DictionaryTracker::new(false);
        let data = self.generator.schema_to_bytes_with_dictionary_tracker(
            &schema,
            &mut self.dictionaries,
            &self.options,
        );
        self.schema = Some(schema);
        Some(seal(data.into(), NO_PARTITION))
    }
}

/// Splits `batch` into slices of at most `MAX_BLOCK_BYTES`, or of one row. Row sizes vary, so it halves each
/// slice until it is small enough.
fn pieces(batch: &RecordBatch) -> impl Iterator<Item = RecordBatch> {
    let mut left = vec![batch.clone()];
    std::iter::from_fn(move || {
        let mut piece = left.pop()?;
        while piece.num_rows() > 1 && bytes_of(&piece) > MAX_BLOCK_BYTES {
            let (rows, half) = (piece.num_rows(), piece.num_rows() / 2);
            left.push(piece.slice(half, rows - half));
            piece = piece.slice(0, half);
        }
        Some(piece)
    })
}

fn seal(mut data: FlightData, partition: u32) -> FlightData {
    let mut seal = Vec::with_capacity(SEAL_BYTES);
    seal.extend_from_slice(&partition.to_le_bytes());
    seal.extend_from_slice(&checksum(&data, partition).to_le_bytes());
    data.app_metadata = Bytes::from(seal);
    data
}

fn checksum(data: &FlightData, partition: u32) -> u64 {
    let mut hasher = XxHash3_64::with_seed(0);
    hasher.write(&partition.to_le_bytes());
    // Hashing the lengths distinguishes a byte at the end of the header from one at the start of the body.
    hasher.write(&(data.data_header.len() as u64).to_le_bytes());
    hasher.write(&data.data_header);
    hasher.write(&data.data_body);
    hasher.finish()
}

/// Checks that `data` has not changed since it was sent.
pub(super) fn verify(data: &FlightData) -> Result<(), Damaged> {
    let seal: &[u8; SEAL_BYTES] = data.app_metadata.as_ref().try_into().map_err(|_| Damaged)?;
    let [.., a, b, c, d, e, f, g, h] = *seal;
    let sealed = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
    if checksum(data, partition(data)?) == sealed { Ok(()) } else { Err(Damaged) }
}

/// The partition of the task that wrote the rows of `data`.
pub(super) fn partition(data: &FlightData) -> Result<u32, Damaged> {
    let bytes = data.app_metadata.first_chunk().ok_or(Damaged)?;
    Ok(u32::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, StringArray};

    use super::*;

    fn batch(rows: i64) -> RecordBatch {
        let words = StringArray::from_iter_values((0..rows).map(|n| format!("word {n}")));
        let counts = Int64Array::from_iter_values(0..rows);
        RecordBatch::try_from_iter([("word", Arc::new(words) as _), ("count", Arc::new(counts) as _)])
            .unwrap()
    }

    #[test]
    fn the_schema_goes_first_and_once() {
        let mut encoder = Encoder::new();
        let first = encoder.encode(3, &batch(5)).unwrap();
        let second = encoder.encode(4, &batch(5)).unwrap();
        let partitions: Vec<u32> = first.iter().chain(&second).map(|data| partition(data).unwrap()).collect();
        assert_eq!(partitions, [NO_PARTITION, 3, 4]);
    }

    #[test]
    fn a_changed_byte_anywhere_is_detected() {
        let changed = |part: &Bytes, at: usize| {
            let mut bytes = part.to_vec();
            bytes[at] ^= 1;
            Bytes::from(bytes)
        };
        for data in Encoder::new().encode(3, &batch(5)).unwrap() {
            for at in 0..data.data_header.len() {
                let data_header = changed(&data.data_header, at);
                assert!(verify(&FlightData { data_header, ..data.clone() }).is_err(), "header byte {at}");
            }
            for at in 0..data.data_body.len() {
                let data_body = changed(&data.data_body, at);
                assert!(verify(&FlightData { data_body, ..data.clone() }).is_err(), "body byte {at}");
            }
            for at in 0..data.app_metadata.len() {
                let app_metadata = changed(&data.app_metadata, at);
                assert!(verify(&FlightData { app_metadata, ..data.clone() }).is_err(), "seal byte {at}");
            }
        }
    }

    #[test]
    fn a_block_that_was_cut_short_is_detected() {
        let mut data = Encoder::new().encode(3, &batch(5)).unwrap().remove(1);
        data.data_body.truncate(data.data_body.len() - 1);
        assert!(verify(&data).is_err());
        data.app_metadata.clear();
        assert!(verify(&data).is_err());
    }

    #[test]
    fn a_large_batch_is_cut_into_blocks_with_all_of_its_rows() {
        let large = batch(4_000_000);
        let cut: Vec<RecordBatch> = pieces(&large).collect();
        assert!(cut.len() > 1 && cut.iter().map(RecordBatch::num_rows).sum::<usize>() == 4_000_000);
        assert_eq!(pieces(&large.slice(0, 0)).map(|piece| piece.num_rows()).collect::<Vec<_>>(), [0]);
    }

    #[test]
    fn a_batch_of_uneven_rows_is_cut_where_they_are_heavy() {
        let lengths = [1, 20 << 20, 1, 40 << 20, 20 << 20, 20 << 20, 1];
        let texts = StringArray::from_iter_values(lengths.map(|length| "x".repeat(length)));
        let batch = RecordBatch::try_from_iter([("text", Arc::new(texts) as _)]).unwrap();
        let cut: Vec<RecordBatch> = pieces(&batch).collect();
        assert_eq!(arrow::compute::concat_batches(&batch.schema(), &cut).unwrap(), batch);
        assert!(cut.iter().all(|piece| piece.num_rows() == 1 || bytes_of(piece) <= MAX_BLOCK_BYTES));
    }
}
