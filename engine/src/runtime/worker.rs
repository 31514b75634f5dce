//! Runs tasks on a fixed number of slots, in the same way in the driver's process and in an executor.
//!
//! Tasks are CPU-bound and synchronous, so they run on a rayon pool with one thread per slot. Network I/O
//! runs on other threads and is never blocked by tasks.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use datafusion_physical_plan::ExecutionPlan;
use kiln_planner::ExchangeId;

use super::inputs::TaskInputs;
use crate::driver::{TaskId, TaskReport};
use crate::error::{Error, Result};
use crate::job::TIMES;
use crate::memory::{self, Memory};
use crate::meter;
use crate::plan::{ContinuedExec, OperatorExec, PartitionsExec};
use crate::shuffle::{BlockStore, OutputKey, TaskOutput};
use crate::task::{STACK_BYTES, Task, TaskEnv, accumulator, counts, guarded, push};

/// A task assigned to a worker.
pub struct Assignment {
    /// The id of the task.
    pub task: TaskId,
    /// The plan of its stage.
    pub plan: Arc<dyn ExecutionPlan>,
    /// The exchange that it writes to.
    pub output: ExchangeId,
    /// Its inputs.
    pub inputs: TaskInputs,
}

/// Reports the outcome of a task; not called for an aborted task.
type Report = dyn Fn(TaskId, Result<TaskReport>) + Send + Sync;

/// The slots, and the outputs of the tasks that ran on them.
pub struct Worker {
    pool: rayon::ThreadPool,
    store: Arc<BlockStore>,
    running: Arc<Running>,
    process: Arc<Process>,
    report: Arc<Report>,
}

/// What all tasks of this process share.
pub struct Process {
    /// Bytes read from sources.
    pub bytes_read: Arc<AtomicU64>,
    /// The memory of the tasks.
    pub memory: Arc<Memory>,
    /// The most rows in a batch.
    pub batch_rows: usize,
}

/// The tasks that have not ended yet, each with its stop flag.
#[derive(Default)]
struct Running {
    tasks: Mutex<HashMap<TaskId, Arc<AtomicBool>>>,
    ended: Condvar,
}

impl Running {
    fn lock(&self) -> MutexGuard<'_, HashMap<TaskId, Arc<AtomicBool>>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends a task with `last`, which no abort can interrupt: an aborted task never stores an output.
    fn end<T>(&self, id: TaskId, last: impl FnOnce() -> T) -> T {
        let mut tasks = self.lock();
        let outcome = last();
        tasks.remove(&id);
        self.ended.notify_all();
        outcome
    }
}

impl Worker {
    /// A worker with `slots` threads.
    ///
    /// # Errors
    /// Of class resource when the threads cannot be started.
    pub fn new(
        slots: usize,
        process: Process,
        report: impl Fn(TaskId, Result<TaskReport>) + Send + Sync + 'static,
    ) -> Result<Worker> {
        memory::raise_open_files();
        memory::keep_freed_memory(process.memory.task_bytes());
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(slots)
            .stack_size(STACK_BYTES)
            .thread_name(|i| format!("kiln-slot-{i}"))
            .build()
            .map_err(|e| Error::resource("the task threads cannot be started").because(e))?;
        let (store, running) = (Arc::default(), Arc::default());
        Ok(Worker { pool, store, running, process: Arc::new(process), report: Arc::new(report) })
    }

    /// The outputs stored in this process.
    pub fn store(&self) -> &Arc<BlockStore> {
        &self.store
    }

    /// Runs a task when a slot is free and reports its outcome.
    pub fn start(&self, assignment: Assignment) {
        let cancelled = Arc::new(AtomicBool::new(false));
        let id = assignment.task;
        self.running.lock().insert(id, Arc::clone(&cancelled));
        let (store, running) = (Arc::clone(&self.store), Arc::clone(&self.running));
        let (process, report) = (Arc::clone(&self.process), Arc::clone(&self.report));
        self.pool.spawn_fifo(move || {
            let outcome = guarded(|| run(assignment, Arc::clone(&cancelled), &process));
            let outcome = running.end(id, || outcome.map(|done| done.keep(&store, &cancelled)));
            if !cancelled.load(Ordering::Relaxed) {
                report(id, outcome);
            }
        });
    }

    /// Stops a task; its output is dropped.
    pub fn abort(&self, task: TaskId) {
        if let Some(flag) = self.running.lock().get(&task) {
            flag.store(true, Ordering::Relaxed);
        }
    }

    /// Waits until no task is running any more, at most `limit`, and returns whether that is the case.
    pub fn quiesce(&self, limit: Duration) -> bool {
        let end = Instant::now() + limit;
        let mut tasks = self.running.lock();
        while !tasks.is_empty() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            tasks = self.running.ended.wait_timeout(tasks, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

/// A task that has computed its output.
struct Done {
    key: OutputKey,
    output: TaskOutput,
    counters: counts::Counts,
    accumulated: Vec<(u32, Vec<u8>)>,
}

impl Done {
    /// Stores the whole output, unless the task was aborted.
    fn keep(mut self, store: &BlockStore, cancelled: &AtomicBool) -> TaskReport {
        self.output.close();
        let payload = std::mem::take(&mut self.output.note);
        let Done { counters, accumulated, .. } = self;
        let (rows, bytes) = (self.output.rows, self.output.bytes);
        let report = TaskReport { rows, bytes, counters, accumulated, payload };
        if !cancelled.load(Ordering::Relaxed) {
            store.put(self.key, self.output);
        }
        report
    }
}

/// Computes one partition.
fn run(assignment: Assignment, cancelled: Arc<AtomicBool>, process: &Process) -> Result<Done> {
    counts::start();
    meter::start();
    // A failed attempt on this thread may have left values, which do not belong to this one.
    accumulator::take();
    let Assignment { task: id, plan, output: exchange, inputs } = assignment;
    let memory = Arc::clone(&process.memory);
    let env = TaskEnv {
        exchanges: Arc::new(inputs),
        cancelled,
        bytes_read: Arc::clone(&process.bytes_read),
        share: memory.for_task(),
        memory,
        batch_rows: process.batch_rows,
        attempt: id.attempt.0,
    };
    let mut output = TaskOutput::of(&env);
    run_plan(&plan, id.partition.0 as usize, &env, &mut output)?;
    let key = OutputKey { exchange, source: id.partition.0, attempt: id.attempt.0 };
    let accumulated = accumulator::encode(&accumulator::take())?;
    let counters = counts::finish().into_iter().chain(spent(&meter::finish())).collect();
    Ok(Done { key, output, counters, accumulated })
}

/// The times of a task as counts: they take the same way to the driver, which counts those of attempts that won.
fn spent(spent: &meter::Spent) -> impl Iterator<Item = (u32, u64)> {
    spent.iter().zip(TIMES..).filter(|(nanos, _)| **nanos > 0).map(|(nanos, id)| (id, *nanos))
}

fn run_plan(
    plan: &Arc<dyn ExecutionPlan>,
    partition: usize,
    env: &TaskEnv,
    output: &mut TaskOutput,
) -> Result<()> {
    use crate::task::Output;
    if let Some(node) = plan.downcast_ref::<PartitionsExec>() {
        return run_plan(node.input(), node.range.start + partition, env, output);
    }
    if let Some(node) = plan.downcast_ref::<ContinuedExec>() {
        return push(node.input(), partition, env, &mut |batch| output.push(partition, batch));
    }
    // The last operator of a stage chooses the target partitions; the rows of any other node go to partition
    // 0.
    if let Some(node) = plan.downcast_ref::<OperatorExec>() {
        let task = Task::new(env, partition, &node.inputs);
        return node.operator.run(&task, output);
    }
    push(plan, partition, env, &mut |batch| output.push(0, batch))
}
