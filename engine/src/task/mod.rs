//! One task: a stage's plan at one partition, and what it may use of its process.

pub mod accumulator;
mod aside;
pub mod counts;
mod panic_guard;
mod place;
mod push;

pub use accumulator::Accumulator;
pub use aside::aside;
pub use counts::Counter;
pub use panic_guard::guarded;
pub use place::Place;
pub use push::{Onward, push};

use std::cell::{Cell, RefCell};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arrow::array::RecordBatch;
use datafusion_execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use datafusion_physical_plan::ExecutionPlan;
use kiln_planner::ExchangeId;

use crate::checks::RejectBin;
use crate::error::{Error, Result};
use crate::memory::{Level, Memory, SpillFile};
pub(crate) use crate::row::BatchLimits;
use crate::source::Skimmed;

/// The stack of a thread that runs operators. Their calls are nested, up to a limit that the plan enforces
/// (`plan/continued.rs`), and the user's closures are called innermost. Untouched pages cost nothing.
pub const STACK_BYTES: usize = 16 << 20;

/// Receives batches; `Break` means that no more are needed.
pub type BatchSink<'a> = dyn FnMut(RecordBatch) -> Result<ControlFlow<()>> + 'a;

/// Reads the outputs of finished stages.
pub trait ExchangeReader: Send + Sync {
    /// Passes the batches of `exchange` for one target partition to `take`, in the order of the source
    /// partitions, so the order never depends on which task finished first.
    fn read(&self, exchange: ExchangeId, partition: usize, take: &mut BatchSink<'_>) -> Result<()>;
}

/// Receives the batches of a task's operators.
pub trait Output {
    /// How large batches should be.
    fn limits(&self) -> BatchLimits;

    /// Adds a batch for a partition of the next stage (0 if there is no exchange).
    fn push(&mut self, partition: usize, batch: RecordBatch) -> Result<ControlFlow<()>>;

    /// Sets where the batches are stored; called before the first of them.
    fn keep_at(&mut self, _: Level) {}

    /// Leaves a note for the driver: a sink's list of files.
    fn note(&mut self, note: Vec<u8>);
}

/// What a task may use of its process; shared by all operators of the task.
#[derive(Clone)]
pub struct TaskEnv {
    /// The outputs of finished stages.
    pub exchanges: Arc<dyn ExchangeReader>,
    /// Set when the task should stop.
    pub cancelled: Arc<AtomicBool>,
    /// Bytes that the tasks of this process have read from sources.
    pub bytes_read: Arc<AtomicU64>,
    /// The memory of the process's tasks.
    pub memory: Arc<Memory>,
    /// The memory pool of this task.
    pub share: Arc<dyn MemoryPool>,
    /// The most rows in a batch.
    pub batch_rows: usize,
    /// The attempt number, which keeps the files of different attempts at one partition apart.
    pub attempt: u32,
}

impl TaskEnv {
    /// How large batches should be.
    pub fn limits(&self) -> BatchLimits {
        BatchLimits { rows: self.batch_rows, bytes: self.memory.batch_bytes() }
    }
}

/// An operator's view of its task.
pub struct Task<'a> {
    /// What the process provides.
    pub env: &'a TaskEnv,
    /// The partition that this task computes.
    pub partition: usize,
    /// The plan nodes that produce the operator's input.
    pub inputs: &'a [Arc<dyn ExecutionPlan>],
    /// Where the source of the operator read the current row.
    pub place: Place,
    /// Where rows go that are rejected; nothing where none may be.
    pub rejects: RefCell<Option<RejectBin>>,
    /// Set when the operator is content with some of the source's rows: how much was read so far.
    skimmed: Cell<Option<Skimmed>>,
}

impl<'a> Task<'a> {
    /// The task at `partition` of an operator with these inputs.
    pub fn new(env: &'a TaskEnv, partition: usize, inputs: &'a [Arc<dyn ExecutionPlan>]) -> Task<'a> {
        Task {
            env,
            partition,
            inputs,
            place: Place::default(),
            rejects: RefCell::default(),
            skimmed: Cell::new(None),
        }
    }

    /// Passes the batches of one input at this partition to `take`.
    pub fn read_input(&self, index: usize, take: &mut BatchSink<'_>) -> Result<()> {
        self.read_partition(index, self.partition, take)
    }

    /// Passes the batches of one input at any of its partitions to `take`.
    pub fn read_partition(&self, index: usize, partition: usize, take: &mut BatchSink<'_>) -> Result<()> {
        let input = self.inputs.get(index).ok_or_else(|| Error::bug("an operator lacks an input"))?;
        push(input, partition, self.env, take)
    }

    /// With `some`, a sample of the source's rows is enough from now on, taken from all over the partition,
    /// if the source can read less that way; without it, all rows are needed again.
    pub fn skim(&self, some: bool) {
        self.skimmed.set(some.then(Skimmed::default));
    }

    /// Whether a sample of the rows is enough.
    pub fn skims(&self) -> bool {
        self.skimmed.get().is_some()
    }

    /// Called by a source that skips rows.
    pub fn has_skimmed(&self, part: Skimmed) {
        self.skimmed.set(self.skimmed.get().map(|mut all| {
            all.add(part);
            all
        }));
    }

    /// How many rows each row that was read represents; 1 when none was skipped.
    pub fn rows_for_one(&self) -> f64 {
        match self.skimmed.get() {
            Some(Skimmed { read, all }) if read > 0 => all as f64 / read as f64,
            _ => 1.0,
        }
    }

    /// Fails when the task should stop; called once per block of rows.
    #[inline]
    pub fn check(&self) -> Result<()> {
        if self.env.cancelled.load(Ordering::Relaxed) {
            return Err(Error::cancelled("the task was stopped"));
        }
        Ok(())
    }

    /// A memory reservation in this task's pool. An operator grows it before it keeps more in memory; when
    /// that is refused, it spills or works in parts.
    pub fn reserve(&self, what: &'static str) -> MemoryReservation {
        MemoryConsumer::new(what).with_can_spill(true).register(&self.env.share)
    }

    /// A temporary file.
    pub fn spill_file(&self, what: &str) -> Result<SpillFile> {
        self.env.memory.spill_file(what)
    }

    /// Counts bytes read from a source.
    pub fn count_bytes(&self, bytes: u64) {
        self.env.bytes_read.fetch_add(bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A task environment for the test of one operator: `batches` as its input, and little memory.
    pub(crate) struct Desk {
        pub(crate) env: TaskEnv,
        pub(crate) inputs: Vec<Arc<dyn ExecutionPlan>>,
        /// How often the input was read.
        pub(crate) reads: Arc<AtomicU64>,
        _tmp: tempfile::TempDir,
    }

    struct Batches {
        batches: Vec<RecordBatch>,
        reads: Arc<AtomicU64>,
    }

    impl ExchangeReader for Batches {
        fn read(&self, _: ExchangeId, _: usize, take: &mut BatchSink<'_>) -> Result<()> {
            self.reads.fetch_add(1, Ordering::Relaxed);
            for batch in &self.batches {
                if take(batch.clone())?.is_break() {
                    break;
                }
            }
            Ok(())
        }
    }

    impl Desk {
        pub(crate) fn new(batches: Vec<RecordBatch>, memory: u64) -> Desk {
            let tmp = tempfile::tempdir().unwrap();
            let memory = Memory::new(memory, 1, tmp.path());
            let schema = batches[0].schema();
            let input = kiln_planner::ExchangeReadExec::new(ExchangeId(1), schema, 1);
            let reads = Arc::default();
            let env = TaskEnv {
                exchanges: Arc::new(Batches { batches, reads: Arc::clone(&reads) }),
                cancelled: Arc::default(),
                bytes_read: Arc::default(),
                share: memory.for_task(),
                memory,
                batch_rows: 1000,
                attempt: 0,
            };
            Desk { env, inputs: vec![Arc::new(input)], reads, _tmp: tmp }
        }

        pub(crate) fn task(&self) -> Task<'_> {
            Task::new(&self.env, 0, &self.inputs)
        }
    }
}
