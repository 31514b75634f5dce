//! Picks the rows of one part out of batches, and holds them while there is room.

use arrow::array::RecordBatch;

use super::index::Index;
use super::room::{Room, Size};
use crate::aggregate::Part;
use crate::error::Result;
use crate::row::{ColumnBuilder, Key, Row, RowReader, to_batch};

/// Rows and bytes at which picked rows become a batch.
const BLOCK_ROWS: usize = 1 << 16;
const BLOCK_BYTES: usize = 1 << 20;
/// The part of the room that one batch may take: the last one that is picked may go beyond the room.
const BLOCK_SHARE: usize = 16;

/// Rows of one part.
pub struct Loader<K: Key, V: Row> {
    part: Part,
    /// Whether all rows are known to have one key; else each may have its own.
    is_one_key: bool,
    building: <(K, V) as Row>::Builder,
    batches: Vec<RecordBatch>,
    size: Size,
    /// The lowest and the highest hash so far.
    hashes: (u64, u64),
    block_bytes: usize,
}

impl<K: Key, V: Row> Loader<K, V> {
    /// Picks rows of `part`.
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

    /// Picks rows out of `batch`. Whenever they have filled a block `look` is called, to see whether
    /// there is room for them.
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

    /// Whether all rows so far share their hash.
    pub fn is_one_hash(&self) -> bool {
        self.hashes.0 >= self.hashes.1
    }

    /// The lowest hash of the rows so far.
    pub fn lowest_hash(&self) -> u64 {
        self.hashes.0
    }

    /// Whether there is one row at most: it is held whatever its size, as it cannot be cut.
    pub fn is_one_row(&self) -> bool {
        self.size.rows + self.building.len() <= 1
    }

    /// What the rows so far take, with their index.
    pub fn needs(&self) -> usize {
        Index::<K, V>::bytes_for(self.size, self.keys())
    }

    /// The rows so far by their key; the next ones start anew.
    pub fn take(&mut self) -> Result<Index<K, V>> {
        self.close()?;
        let keys = self.keys();
        self.size = Size::default();
        Index::new(&std::mem::take(&mut self.batches), self.part, keys)
    }

    fn keys(&self) -> usize {
        if self.is_one_key { 1 } else { self.size.rows }
    }

    /// Counts the rows so far, but does not hold them any longer.
    pub fn let_go(&mut self) {
        self.batches.clear();
    }

    /// Closes the last block, and says how many rows there were so far.
    pub fn close(&mut self) -> Result<Size> {
        if !self.building.is_empty() {
            let batch = to_batch::<(K, V)>(&mut self.building)?;
            self.size.add(&batch);
            self.batches.push(batch);
        }
        Ok(self.size)
    }
}
