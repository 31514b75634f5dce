//! Selects the rows of one hash range from batches, and holds them while there is memory.

use arrow::array::RecordBatch;

use super::index::Index;
use super::room::{Room, Size};
use crate::aggregate::Part;
use crate::error::Result;
use crate::row::{ColumnBuilder, Key, Row, RowReader, to_batch};

/// Number and size of the selected rows at which they become a batch.
const BLOCK_ROWS: usize = 1 << 16;
const BLOCK_BYTES: usize = 1 << 20;
/// Divisor of the memory limit: one batch takes at most this part of it. The last batch may exceed the
/// limit by that much.
const BLOCK_SHARE: usize = 16;

/// The rows of one hash range.
pub struct Loader<K: Key, V: Row> {
    part: Part,
    /// Whether all rows are known to share one hash. Otherwise each row may have another key.
    is_one_key: bool,
    building: <(K, V) as Row>::Builder,
    batches: Vec<RecordBatch>,
    size: Size,
    /// The lowest and the highest hash so far.
    hashes: (u64, u64),
    block_bytes: usize,
}

impl<K: Key, V: Row> Loader<K, V> {
    /// Selects rows of `part`.
    pub fn new(part: Part, is_one_key: bool, room: &Room) -> Self {
        let block_bytes = (room.limit() / BLOCK_SHARE).min(BLOCK_BYTES);
        Loader {
            part,
            is_one_key,
            building: Default::default(),
            batches: Vec::new(),
            size: Size::default(),
            hashes: (u64::MAX, 0),
            block_bytes,
        }
    }

    /// Adds the rows of `batch` that are in the range. Calls `look` after each full block, to check
    /// whether there is memory for it.
    pub fn pick(&mut self, batch: &RecordBatch, look: &mut dyn FnMut(&mut Self) -> Result<()>) -> Result<()> {
        for row in RowReader::<(K, V)>::open(batch)?.iter() {
            let hash = K::hash(row.0);
            if !self.part.has(hash) {
                continue;
            }
            self.hashes = (hash.min(self.hashes.0), hash.max(self.hashes.1));
            self.building.push(row);
            if self.building.size_bytes() >= self.block_bytes || self.building.len() >= BLOCK_ROWS {
                self.close()?;
                look(self)?;
            }
        }
        Ok(())
    }

    /// Whether all rows so far have the same hash.
    pub fn is_one_hash(&self) -> bool {
        self.hashes.0 >= self.hashes.1
    }

    /// The lowest hash of the rows so far.
    pub fn lowest_hash(&self) -> u64 {
        self.hashes.0
    }

    /// Whether there is at most one row, which is held whatever its size, because it cannot be split.
    pub fn is_one_row(&self) -> bool {
        self.size.rows + self.building.len() <= 1
    }

    /// Size of the rows so far and of their hash table.
    pub fn needs(&self) -> usize {
        Index::<K, V>::bytes_for(self.size, self.keys())
    }

    /// Builds a hash table of the rows so far and starts again without rows.
    pub fn take(&mut self) -> Result<Index<K, V>> {
        self.close()?;
        let keys = self.keys();
        self.size = Size::default();
        Index::new(&std::mem::take(&mut self.batches), self.part, keys)
    }

    fn keys(&self) -> usize {
        if self.is_one_key { 1 } else { self.size.rows }
    }

    /// Drops the rows so far, but keeps counting them.
    pub fn let_go(&mut self) {
        self.batches.clear();
    }

    /// Closes the last block and returns the size of all rows so far.
    pub fn close(&mut self) -> Result<Size> {
        if !self.building.is_empty() {
            let batch = to_batch::<(K, V)>(&mut self.building)?;
            self.size.add(&batch);
            self.batches.push(batch);
        }
        Ok(self.size)
    }
}
