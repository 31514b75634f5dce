//! `Bytes`: any bytes; the view is `&[u8]`, the column `Binary`.
//!
//! A closure that returns `&[u8]` makes `Bytes` rows. `Vec<u8>` is a list of small numbers, like any
//! other `Vec`, and is stored as one.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray};
use arrow::datatypes::DataType;
use bytes::Bytes;

use super::byte_runs::ByteRuns;
use super::byte_slot::{ByteSlot, first_bytes, hash_bytes};
use super::column::typed;
use super::{ColumnBuilder, ColumnReader, IntoRow, Key, Required, Row};
use crate::error::Result;

impl Row for Bytes {
    type View<'a> = &'a [u8];
    type Builder = Blobs;
    type Reader = BlobReader;
    type Nullability = Required;
    #[inline]
    fn own(view: &[u8]) -> Bytes {
        Bytes::copy_from_slice(view)
    }
    #[inline]
    fn view(&self) -> &[u8] {
        self
    }
    #[inline]
    fn narrow<'short, 'long: 'short>(view: &'long [u8]) -> &'short [u8] {
        view
    }
    fn data_type() -> DataType {
        DataType::Binary
    }
}

impl IntoRow for Bytes {
    type Row = Bytes;
    #[inline]
    fn as_view(&self) -> &[u8] {
        self
    }
}

impl IntoRow for &[u8] {
    type Row = Bytes;
    #[inline]
    fn as_view(&self) -> &[u8] {
        self
    }
}

/// Builds a column of byte strings.
#[derive(Default)]
pub struct Blobs(ByteRuns);

impl ColumnBuilder for Blobs {
    type Row = Bytes;
    #[inline]
    fn push(&mut self, view: &[u8]) {
        self.0.push(view);
    }
    fn push_null(&mut self) {
        self.0.push(&[]);
    }
    fn len(&self) -> usize {
        self.0.len()
    }
    fn size_bytes(&self) -> usize {
        self.0.size_bytes()
    }
    fn finish(&mut self) -> ArrayRef {
        let (offsets, bytes) = self.0.finish();
        Arc::new(BinaryArray::new(offsets, bytes, None))
    }
}

/// Reads a column of byte strings.
pub struct BlobReader(BinaryArray);

impl ColumnReader for BlobReader {
    type Row = Bytes;
    fn open(array: &ArrayRef) -> Result<Self> {
        typed(array, &DataType::Binary).map(BlobReader)
    }
    #[inline]
    fn get(&self, index: usize) -> &[u8] {
        self.0.value(index)
    }
}

/// Compared byte by byte; a prefix sorts before any longer string.
impl Key for Bytes {
    type Slot = ByteSlot;
    type Arena = Vec<u8>;

    #[inline]
    fn hash(view: &[u8]) -> u64 {
        hash_bytes(view)
    }

    #[inline]
    fn same(a: &[u8], b: &[u8]) -> bool {
        a == b
    }

    #[inline]
    fn compare(a: &[u8], b: &[u8]) -> Ordering {
        a.cmp(b)
    }

    #[inline]
    fn store(view: &[u8], arena: &mut Vec<u8>) -> ByteSlot {
        ByteSlot::store(view, || {
            arena.extend_from_slice(view);
            arena.len() - view.len()
        })
    }

    #[inline]
    fn load<'a>(slot: &'a ByteSlot, arena: &'a Vec<u8>) -> &'a [u8] {
        slot.load().map_or_else(|short| short, |range| &arena[range])
    }

    fn arena_bytes(arena: &Vec<u8>) -> usize {
        arena.capacity()
    }

    #[inline]
    fn prefix(view: &[u8]) -> u64 {
        first_bytes(view)
    }

    #[inline]
    fn matches(slot: &ByteSlot, arena: &Vec<u8>, view: &[u8]) -> bool {
        slot.matches(arena, view)
    }

    #[inline]
    fn slots_match(a: (&ByteSlot, &Vec<u8>), b: (&ByteSlot, &Vec<u8>)) -> bool {
        ByteSlot::slots_match((a.0, a.1), (b.0, b.1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_come_back_from_a_column_and_from_a_table_of_keys() {
        let blobs = [&b""[..], &[0xff, 0, 0xfe], &[0xff; 15], &[0xff; 16]];
        let (mut builder, mut arena) = (Blobs::default(), Vec::new());
        blobs.iter().for_each(|blob| builder.push(blob));
        let reader = BlobReader::open(&builder.finish()).unwrap();
        let slots: Vec<_> = blobs.iter().map(|blob| Bytes::store(blob, &mut arena)).collect();
        for (i, blob) in blobs.iter().enumerate() {
            assert_eq!(reader.get(i), *blob);
            assert_eq!(Bytes::load(&slots[i], &arena), *blob);
            for (j, other) in blobs.iter().enumerate() {
                assert_eq!(Bytes::matches(&slots[i], &arena, other), i == j);
            }
        }
    }
}
