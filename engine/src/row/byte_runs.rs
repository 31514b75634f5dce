//! The buffers of string, binary and opaque columns: bytes and offsets.

use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};

/// Upper limit, in bytes, of the capacity that `finish` reserves for the next batch.
const MOST_AHEAD: usize = 8 << 20;
/// The same limit per row. One huge row does not mean that the next one is huge too, and with hundreds
/// of partitions the reserved capacity would exceed the batches themselves.
const MOST_AHEAD_PER_ROW: usize = 16 << 10;

/// Concatenated byte strings: at most 2 GiB, which is more than a batch may hold (`limits`).
#[derive(Default)]
pub struct ByteRuns {
    /// End offset of each string; the first one starts at 0.
    ends: Vec<i32>,
    bytes: Vec<u8>,
}

impl ByteRuns {
    /// Appends one string.
    #[inline]
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.ends.push(self.bytes.len() as i32);
    }

    /// Number of strings added since the last `finish`.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Size of the bytes and the offsets.
    pub fn size_bytes(&self) -> usize {
        self.bytes.len() + size_of_val(&self.ends[..])
    }

    /// The offsets and the concatenated bytes.
    pub fn finish(&mut self) -> (OffsetBuffer<i32>, Buffer) {
        assert!(self.bytes.len() <= i32::MAX as usize, "a batch holds more than 2 GiB in one column");
        let rows = self.ends.len();
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        offsets.append(&mut self.ends);
        let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
        // The next batch is probably as large as this one, so reserve its capacity at once.
        let most = MOST_AHEAD.min(rows * MOST_AHEAD_PER_ROW);
        let next = Vec::with_capacity(self.bytes.len().min(most));
        (offsets, Buffer::from_vec(std::mem::replace(&mut self.bytes, next)))
    }
}
