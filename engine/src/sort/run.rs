//! Sorted runs in a temporary file, and the merge of several runs into one.

use std::cmp::Ordering;
use std::ops::ControlFlow;

use arrow::array::RecordBatch;

use crate::error::Result;
use crate::memory::{SpillFile, Spilled};
use crate::row::{Key, Row, RowReader};
use crate::shuffle::PartitionedWriter;
use crate::task::{BatchLimits, Output, Task};

/// The approximate size of a block; a merge keeps one block of each run in memory.
pub(super) const BLOCK_BYTES: usize = 256 << 10;

/// Sorted rows, as blocks of a file.
pub(super) struct Run {
    pub(super) blocks: Vec<Spilled>,
}

impl Run {
    /// The size of the largest block, in bytes.
    pub(super) fn largest(&self) -> usize {
        self.blocks.iter().map(Spilled::bytes).max().unwrap_or_default()
    }
}

/// Collects the blocks of a run that is being written.
pub(super) struct ToFile<'a> {
    pub(super) file: &'a mut SpillFile,
    pub(super) limits: BatchLimits,
    pub(super) blocks: Vec<Spilled>,
}

impl Output for ToFile<'_> {
    fn limits(&self) -> BatchLimits {
        self.limits
    }
    fn push(&mut self, _: usize, batch: RecordBatch) -> Result<ControlFlow<()>> {
        self.blocks.push(self.file.push(&batch)?);
        Ok(ControlFlow::Continue(()))
    }
    fn note(&mut self, _: Vec<u8>) {}
}

/// Outputs the rows of all runs in order; among equal keys, those of the earlier run come first.
pub(super) fn merge<K: Key, V: Row>(
    task: &Task<'_>,
    runs: &[Run],
    writer: &mut PartitionedWriter<'_, (K, V)>,
) -> Result<()> {
    let mut cursors = Vec::with_capacity(runs.len());
    for run in runs {
        cursors.extend(Cursor::<K, V>::open(run)?);
    }
    let mut order = Order { heap: (0..cursors.len()).collect() };
    (0..cursors.len()).rev().for_each(|at| order.sift_down(at, &cursors));
    while let Some(first) = order.first() {
        let (key, value) = cursors[first].row();
        writer.push(0, (K::narrow(key), V::narrow(value)));
        if writer.is_closed() {
            break;
        }
        match cursors[first].step(task)? {
            true => order.sift_down(0, &cursors),
            false => order.remove_first(&cursors),
        }
    }
    Ok(())
}

/// The position of a merge in one run.
struct Cursor<'r, K: Key, V: Row> {
    left: std::slice::Iter<'r, Spilled>,
    rows: RowReader<(K, V)>,
    at: usize,
    prefix: u64,
}

impl<'r, K: Key, V: Row> Cursor<'r, K, V> {
    /// A cursor at the first row; `None` if the run is empty.
    fn open(run: &'r Run) -> Result<Option<Self>> {
        let mut left = run.blocks.iter();
        let Some(block) = left.next() else { return Ok(None) };
        let rows = RowReader::open(&block.read()?)?;
        let mut cursor = Cursor { left, rows, at: 0, prefix: 0 };
        cursor.prefix = K::prefix(cursor.row().0);
        Ok(Some(cursor))
    }

    fn row(&self) -> (K::View<'_>, V::View<'_>) {
        self.rows.get(self.at)
    }

    /// Moves to the next row and returns whether there is one.
    fn step(&mut self, task: &Task<'_>) -> Result<bool> {
        self.at += 1;
        if self.at == self.rows.len() {
            task.check()?;
            let Some(block) = self.left.next() else { return Ok(false) };
            self.rows = RowReader::open(&block.read()?)?;
            self.at = 0;
        }
        self.prefix = K::prefix(self.row().0);
        Ok(true)
    }

    fn compare(&self, other: &Self) -> Ordering {
        let keys = || match K::PREFIX_IS_KEY {
            true => Ordering::Equal,
            false => K::compare(self.row().0, other.row().0),
        };
        self.prefix.cmp(&other.prefix).then_with(keys)
    }
}

/// A heap of cursors. The standard heap cannot be used, because its elements are indices and comparing them
/// needs the cursors.
struct Order {
    heap: Vec<usize>,
}

impl Order {
    fn first(&self) -> Option<usize> {
        self.heap.first().copied()
    }

    fn remove_first<K: Key, V: Row>(&mut self, cursors: &[Cursor<'_, K, V>]) {
        self.heap.swap_remove(0);
        self.sift_down(0, cursors);
    }

    fn sift_down<K: Key, V: Row>(&mut self, mut at: usize, cursors: &[Cursor<'_, K, V>]) {
        let before = |a: usize, b: usize| cursors[a].compare(&cursors[b]).then(a.cmp(&b)) == Ordering::Less;
        loop {
            let children = [2 * at + 1, 2 * at + 2].into_iter().filter(|c| *c < self.heap.len());
            let smallest = children.reduce(|a, b| if before(self.heap[b], self.heap[a]) { b } else { a });
            match smallest {
                Some(child) if before(self.heap[child], self.heap[at]) => self.heap.swap(at, child),
                _ => return,
            }
            at = smallest.unwrap_or(at);
        }
    }
}
