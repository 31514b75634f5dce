//! What columns of strings, of byte strings and of opaque values are built of: bytes and offsets.

use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};

/// Bytes that are asked for before they are needed, at most.
const MOST_AHEAD: usize = 8 << 20;
/// The same for each row: one huge row says nothing of the next, and hundreds of partitions, each with room for
/// another, would hold more than their batches.
const MOST_AHEAD_PER_ROW: usize = 16 << 10;

/// Byte strings one after another: at most 2 GiB, above what a batch may hold (`limits`).
#[derive(Default)]
pub struct ByteRuns {
    /// Where each one ends; the first one starts at 0.
    ends: Vec<i32>,
    bytes: Vec<u8>,
}

impl ByteRuns {
    /// Adds one.
    #[inline]
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.ends.push(self.bytes.len() as i32);
    }

    /// Those added since the last `finish`.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Bytes held, with the offsets.
    pub fn size_bytes(&self) -> usize {
        self.bytes.len() + size_of_val(&self.ends[..])
    }

    /// Where each one starts and ends, and the bytes of all.
    pub fn finish(&mut self) -> (OffsetBuffer<i32>, Buffer) {
        assert!(self.bytes.len() <= i32::MAX as usize, "a batch holds more than 2 GiB in one column");
        let rows = self.ends.len();
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        offsets.append(&mut self.ends);
        let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
        // The next batch is about as large as this one, and need not grow to it step by step.
        let most = MOST_AHEAD.min(rows * MOST_AHEAD_PER_ROW);
        let next = Vec::with_capacity(self.bytes.len().min(most));
        (offsets, Buffer::from_vec(std::mem::replace(&mut self.bytes, next)))
    }
}
