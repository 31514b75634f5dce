//! The outputs of finished tasks, stored in the process that ran them: in memory, and on disk beyond its
//! limit.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::sync::{Arc, PoisonError, RwLock};

use arrow::array::RecordBatch;
use datafusion_execution::memory_pool::MemoryReservation;
use kiln_planner::ExchangeId;

use crate::config;
use crate::error::{Error, Result};
use crate::memory::{Level, Memory, SpillFile, Spilled};
use crate::task::{BatchLimits, BatchSink, Output, TaskEnv};

/// Identifies the output of one attempt at one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OutputKey {
    /// The exchange of the output.
    pub exchange: ExchangeId,
    /// The partition of the task.
    pub source: u32,
    /// The attempt of the task.
    pub attempt: u32,
}

/// The output of one task: batches by target partition, and a note for the driver.
///
/// Batches stay in memory while there is room for outputs. When there is no more room, all batches of this
/// task that are in memory are written to a file of this task alone, so finished outputs are never touched
/// again. A level of `persist` overrides this.
pub struct TaskOutput {
    /// Only partitions that have batches: an output of `persist` has the one of its task and no others.
    partitions: BTreeMap<usize, Vec<Block>>,
    /// The batches in memory: the partition and the index of each.
    held: Vec<(usize, usize)>,
    limits: BatchLimits,
    level: Level,
    memory: Arc<Memory>,
    room: MemoryReservation,
    file: Option<SpillFile>,
    /// The rows of all batches.
    pub rows: u64,
    /// The bytes of all batches, as they were in memory.
    pub bytes: u64,
    /// The operator's note for the driver.
    pub note: Vec<u8>,
}

/// One batch of an output.
#[derive(Clone)]
pub enum Block {
    /// In memory.
    Held(RecordBatch),
    /// In a temporary file.
    Spilled(Spilled),
}

impl Block {
    /// The batch.
    ///
    /// # Errors
    /// When a temporary file cannot be read.
    pub fn read(&self) -> Result<RecordBatch> {
        match self {
            Block::Held(batch) => Ok(batch.clone()),
            Block::Spilled(spilled) => spilled.read(),
        }
    }
}

impl TaskOutput {
    /// An empty output.
    pub fn new(memory: Arc<Memory>, limits: BatchLimits) -> TaskOutput {
        TaskOutput {
            partitions: BTreeMap::new(),
            held: Vec::new(),
            limits,
            level: Level::Auto,
            room: memory.for_output(),
            memory,
            file: None,
            rows: 0,
            bytes: 0,
            note: Vec::new(),
        }
    }

    /// The output of a task with the environment `env`.
    pub fn of(env: &TaskEnv) -> TaskOutput {
        TaskOutput::new(Arc::clone(&env.memory), env.limits())
    }

    /// The batches for one target partition.
    pub fn partition(&self, target: usize) -> &[Block] {
        self.partitions.get(&target).map_or(&[], Vec::as_slice)
    }

    /// Passes the batches of one target partition to `take`.
    ///
    /// # Errors
    /// When a temporary file cannot be read; those of `take`.
    pub fn read(&self, target: usize, take: &mut BatchSink<'_>) -> Result<ControlFlow<()>> {
        for block in self.partition(target) {
            if take(block.read()?)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Closes the temporary file after the last batch; readers open it for themselves.
    pub fn close(&mut self) {
        self.file = None;
    }

    /// Adds a batch. If it does not fit in memory, or the level is `Disk`, all batches in memory are spilled.
    fn hold(&mut self, partition: usize, batch: RecordBatch) -> Result<()> {
        let bytes = batch.get_array_memory_size();
        let fits = self.level != Level::Disk && self.room.try_grow(bytes).is_ok();
        if !fits && self.level == Level::Memory {
            let text = format!("there is no memory for the rows of `persist`: {} bytes are kept", self.bytes);
            let help = format!("raise {}, or persist at Level::Auto or Level::Disk", config::MEMORY);
            return Err(Error::resource(text).help(help));
        }
        self.rows += batch.num_rows() as u64;
        self.bytes += bytes as u64;
        let blocks = self.partitions.entry(partition).or_default();
        self.held.push((partition, blocks.len()));
        blocks.push(Block::Held(batch));
        if fits { Ok(()) } else { self.spill() }
    }

    /// Writes the batches that are in memory to disk.
    fn spill(&mut self) -> Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(self.memory.spill_file("the output of a task")?),
        };
        for (partition, at) in self.held.drain(..) {
            let block = self.partitions.get_mut(&partition).and_then(|blocks| blocks.get_mut(at));
            if let Some(block) = block
                && let Block::Held(batch) = block
            {
                *block = Block::Spilled(file.push(batch)?);
            }
        }
        self.room.free();
        Ok(())
    }
}

impl Output for TaskOutput {
    fn limits(&self) -> BatchLimits {
        self.limits
    }

    fn push(&mut self, partition: usize, batch: RecordBatch) -> Result<ControlFlow<()>> {
        self.hold(partition, batch)?;
        Ok(ControlFlow::Continue(()))
    }

    fn keep_at(&mut self, level: Level) {
        self.level = level;
    }

    fn note(&mut self, note: Vec<u8>) {
        self.note = note;
    }
}

/// All outputs that this process stores: only complete outputs of successful tasks are added.
#[derive(Default)]
pub struct BlockStore {
    outputs: RwLock<HashMap<ExchangeId, HashMap<OutputKey, Arc<TaskOutput>>>>,
}

impl BlockStore {
    /// Stores an output.
    pub fn put(&self, key: OutputKey, output: TaskOutput) {
        let mut outputs = self.outputs.write().unwrap_or_else(PoisonError::into_inner);
        outputs.entry(key.exchange).or_default().insert(key, Arc::new(output));
    }

    /// Returns an output, if it is stored here.
    pub fn get(&self, key: OutputKey) -> Option<Arc<TaskOutput>> {
        self.outputs.read().unwrap_or_else(PoisonError::into_inner).get(&key.exchange)?.get(&key).cloned()
    }

    /// Drops all outputs of an exchange.
    pub fn forget(&self, exchange: ExchangeId) {
        let mut outputs = self.outputs.write().unwrap_or_else(PoisonError::into_inner);
        outputs.remove(&exchange);
    }
}
