//! The build side's hash table: from each key to its first row, and from each row to the next one.
//!
//! Batches are kept as they arrived; a row is addressed by its batch and its position in the batch.
//! Rows are inserted from the last to the first, so that the chain of a key has the rows in their
//! original order.

use arrow::array::RecordBatch;

use super::room::Size;
use crate::aggregate::{Occupied, Part, Table};
use crate::error::Result;
use crate::row::{Key, Row, RowReader};

/// A hash table of pairs in memory.
pub struct Index<K: Key, V: Row> {
    blocks: Vec<Block<K, V>>,
    /// First row of each key.
    firsts: Table<K, At>,
}

struct Block<K: Row, V: Row> {
    rows: RowReader<(K, V)>,
    /// For each row that another row of the same key follows: the position of that row.
    next: Vec<u64>,
}

/// A row's batch and its position in it. The top bit is set if another row of the key follows, so that
/// a key with a single row needs no access to `next`.
#[derive(Clone, Copy)]
struct At(u64);

const MORE: u64 = 1 << 63;
/// Rows whose table slots are prefetched before they are inserted.
const AHEAD: usize = 64;

impl At {
    fn new(block: usize, row: usize) -> At {
        At((block as u64) << 32 | row as u64)
    }
    #[inline]
    fn block(self) -> usize {
        ((self.0 & !MORE) >> 32) as usize
    }
    #[inline]
    fn row(self) -> usize {
        self.0 as u32 as usize
    }
    #[inline]
    fn has_more(self) -> bool {
        self.0 & MORE != 0
    }
}

/// The rows of one key.
#[derive(Clone, Copy)]
pub struct Rows(At);

impl<K: Key, V: Row> Index<K, V> {
    /// Size of a hash table of `size` rows with about `keys` keys.
    pub fn bytes_for(size: Size, keys: usize) -> usize {
        let long_keys = if size_of::<K::Arena>() == 0 { 0 } else { size.bytes };
        let next = size.rows * size_of::<At>();
        size.bytes + long_keys + next + Table::<K, At>::bytes_for(keys)
    }

    /// Builds the hash table of `batches`, whose hashes are in `part`, with about `keys` keys.
    pub fn new(batches: &[RecordBatch], part: Part, keys: usize) -> Result<Self> {
        let mut firsts = Table::<K, At>::new(keys, part.scale());
        let mut blocks = batches.iter().map(Block::open).collect::<Result<Vec<Block<K, V>>>>()?;
        for (at, block) in blocks.iter_mut().enumerate().rev() {
            let Block { rows, next } = block;
            let mut hashes = [0; AHEAD];
            for end in (1..=rows.len()).rev().step_by(AHEAD) {
                let ahead = end.saturating_sub(AHEAD)..end;
                for (hash, row) in hashes.iter_mut().zip(ahead.clone()) {
                    *hash = K::hash(rows.get(row).0);
                }
                firsts.touch(hashes[..ahead.len()].iter().copied());
                for row in ahead.clone().rev() {
                    let (key, at) = (rows.get(row).0, At::new(at, row));
                    let again = |first: Occupied<'_, At>| {
                        let first = first.into_mut();
                        next[row] = first.0;
                        *first = At(at.0 | MORE);
                    };
                    firsts.upsert(hashes[row - ahead.start], key, || at, again);
                }
            }
        }
        Ok(Index { blocks, firsts })
    }

    /// The rows of `key`, if there are any.
    #[inline]
    pub fn find(&self, hash: u64, key: K::View<'_>) -> Option<Rows> {
        self.firsts.get(hash, key).copied().map(Rows)
    }

    /// All keys with their rows, in hash order.
    pub fn keys(&self) -> impl Iterator<Item = (u64, K::View<'_>, Rows)> {
        self.firsts.iter().map(|(hash, key, first)| (hash, key, Rows(*first)))
    }

    /// Positions of the rows of a key, in their original order.
    #[inline]
    pub fn places(&self, rows: Rows) -> impl Iterator<Item = (usize, usize)> {
        let mut next = Some(rows.0);
        std::iter::from_fn(move || {
            let at = next?;
            let place = (at.block(), at.row());
            next = at.has_more().then(|| At(self.blocks[place.0].next[place.1]));
            Some(place)
        })
    }

    /// The row at a position.
    #[inline]
    pub fn get(&self, (block, row): (usize, usize)) -> (K::View<'_>, V::View<'_>) {
        self.blocks[block].rows.get(row)
    }

    /// Number of rows in each batch.
    pub fn lengths(&self) -> impl Iterator<Item = usize> {
        self.blocks.iter().map(|block| block.rows.len())
    }
}

impl<K: Row, V: Row> Block<K, V> {
    fn open(batch: &RecordBatch) -> Result<Self> {
        // Fresh zeroed memory takes no pages until it is written, which happens only where keys repeat.
        Ok(Block { rows: RowReader::open(batch)?, next: vec![0; batch.num_rows()] })
    }
}
