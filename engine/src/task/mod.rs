//! One task: a stage's plan at one partition, and what it may ask of the process it runs in.

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

/// The stack of a thread on which operators run. They run one inside the other, up to a limit that the plan
/// keeps (`plan/continued.rs`), and the user's closures run innermost. Pages that nobody touches cost nothing.
pub const STACK_BYTES: usize = 16 << 20;

/// Takes batches; `Break` asks for no more.
pub type BatchSink<'a> = dyn FnMut(RecordBatch) -> Result<ControlFlow<()>> + 'a;

/// Gives the rows that finished stages have put out.
pub trait ExchangeReader: Send + Sync {
    /// Passes on the batches of `exchange` for one target partition, those of the first source
    /// partition first: the order never depends on who finished when.
    fn read(&self, exchange: ExchangeId, partition: usize, take: &mut BatchSink<'_>) -> Result<()>;
}

/// Where the operators of a task put their batches.
pub trait Output {
    /// How large batches should be.
    fn limits(&self) -> BatchLimits;

    /// Adds a batch for a partition of the next stage (0 where there is no exchange).
    fn push(&mut self, partition: usize, batch: RecordBatch) -> Result<ControlFlow<()>>;

    /// Says where the batches wait for their readers; it comes before the first of them.
    fn keep_at(&mut self, _: Level) {}

    /// Leaves a note for the driver: a sink's list of files.
    fn note(&mut self, note: Vec<u8>);
}

/// What a task may use of its process: shared by all operators of the task.
#[derive(Clone)]
pub struct TaskEnv {
    /// The rows of finished stages.
    pub exchanges: Arc<dyn ExchangeReader>,
    /// Set when the task is to stop.
    pub cancelled: Arc<AtomicBool>,
    /// Bytes that the process's tasks have read from sources.
    pub bytes_read: Arc<AtomicU64>,
    /// What the process's tasks may hold in memory.
    pub memory: Arc<Memory>,
    /// This task's share of it.
    pub share: Arc<dyn MemoryPool>,
    /// Rows in a batch at most.
    pub batch_rows: usize,
    /// Tells apart the attempts at one partition: in the name of whatever they leave.
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
    /// What the process offers.
    pub env: &'a TaskEnv,
    /// Which partition this task computes.
    pub partition: usize,
    /// The plan nodes that feed the operator.
    pub inputs: &'a [Arc<dyn ExecutionPlan>],
    /// Where the current row of the operator's source stands.
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

    /// Passes on the batches of one input at this partition.
    pub fn read_input(&self, index: usize, take: &mut BatchSink<'_>) -> Result<()> {
        self.read_partition(index, self.partition, take)
    }

    /// Passes on the batches of one input at some partition of that input.
    pub fn read_partition(&self, index: usize, partition: usize, take: &mut BatchSink<'_>) -> Result<()> {
        let input = self.inputs.get(index).ok_or_else(|| Error::bug("an operator lacks an input"))?;
        push(input, partition, self.env, take)
    }

    /// From here on some of the source's rows will do, from all over the partition, if it can read fewer; or
    /// all of them again.
    pub fn skim(&self, some: bool) {
        self.skimmed.set(some.then(Skimmed::default));
    }

    /// Whether some of the rows will do.
    pub fn skims(&self) -> bool {
        self.skimmed.get().is_some()
    }

    /// Told by a source that leaves out rows.
    pub fn has_skimmed(&self, part: Skimmed) {
        self.skimmed.set(self.skimmed.get().map(|mut all| {
            all.add(part);
            all
        }));
    }

    /// How many rows stand for a row that was read; 1 when nothing was left out.
    pub fn rows_for_one(&self) -> f64 {
        match self.skimmed.get() {
            Some(Skimmed { read, all }) if read > 0 => all as f64 / read as f64,
            _ => 1.0,
        }
    }

    /// Fails when the task is to stop; called once per block of rows.
    #[inline]
    pub fn check(&self) -> Result<()> {
        if self.env.cancelled.load(Ordering::Relaxed) {
            return Err(Error::cancelled("the task was stopped"));
        }
        Ok(())
    }

    /// Room in this task's share of the memory: an operator grows it before it holds more, and spills,
    /// or does its work in parts, when it is refused.
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

    /// What an operator is given in a test of its own: `batches` as its input, and little memory.
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
