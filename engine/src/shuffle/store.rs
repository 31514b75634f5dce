//! The outputs of finished tasks, in the memory of the process that ran them.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::{Arc, PoisonError, RwLock};

use arrow::array::RecordBatch;
use kiln_planner::ExchangeId;

use crate::error::Result;
use crate::task::Output;

/// Names the output of one attempt at one source partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OutputKey {
    /// The exchange that it belongs to.
    pub exchange: ExchangeId,
    /// The task's partition.
    pub source: u32,
    /// The task's attempt.
    pub attempt: u32,
}

/// What one task has put out: batches by target partition, and a note for the driver.
#[derive(Default)]
pub struct TaskOutput {
    partitions: Vec<Vec<RecordBatch>>,
    /// Rows in all batches.
    pub rows: u64,
    /// Bytes of all batches in memory.
    pub bytes: u64,
    /// What the operator left for the driver.
    pub note: Vec<u8>,
}

impl TaskOutput {
    /// The batches for one target partition.
    pub fn partition(&self, target: usize) -> &[RecordBatch] {
        self.partitions.get(target).map_or(&[], Vec::as_slice)
    }
}

impl Output for TaskOutput {
    fn push(&mut self, partition: usize, batch: RecordBatch) -> Result<ControlFlow<()>> {
        if self.partitions.len() <= partition {
            self.partitions.resize_with(partition + 1, Vec::new);
        }
        self.rows += batch.num_rows() as u64;
        self.bytes += batch.get_array_memory_size() as u64;
        self.partitions[partition].push(batch);
        Ok(ControlFlow::Continue(()))
    }

    fn note(&mut self, note: Vec<u8>) {
        self.note = note;
    }
}

/// All outputs that this process holds. Only whole outputs of successful tasks get in.
#[derive(Default)]
pub struct BlockStore {
    outputs: RwLock<HashMap<OutputKey, Arc<TaskOutput>>>,
}

impl BlockStore {
    /// Keeps an output.
    pub fn put(&self, key: OutputKey, output: TaskOutput) {
        self.outputs.write().unwrap_or_else(PoisonError::into_inner).insert(key, Arc::new(output));
    }

    /// An output, if it is here.
    pub fn get(&self, key: OutputKey) -> Option<Arc<TaskOutput>> {
        self.outputs.read().unwrap_or_else(PoisonError::into_inner).get(&key).cloned()
    }

    /// Drops all outputs of an exchange.
    pub fn forget(&self, exchange: ExchangeId) {
        let mut outputs = self.outputs.write().unwrap_or_else(PoisonError::into_inner);
        outputs.retain(|key, _| key.exchange != exchange);
    }
}
