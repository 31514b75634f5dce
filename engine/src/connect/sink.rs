//! `Sink`: a target outside of Kiln, written in parts and published by one commit.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use crate::error::{Error, Result};
use crate::job::{CommitGuard, Mode, Output, Run};
use crate::row::BatchLimits;
use crate::ship::shared::Param;
use crate::task::Task;

/// A target of rows: a table of a database, a folder of files.
///
/// The value travels to the executors, so it holds settings and no connections.
pub trait Sink: Param + Clone {
    /// What tasks must know of the publish that has begun: the name of a staging table, the place of files.
    type Stage: Param + Clone;
    /// What stays in the driver between begin and commit. Dropped without a commit, it takes everything back.
    type Held;
    /// What a task leaves for the commit: the files or the rows of its part, counted.
    type Part: Param;

    /// Where the rows go, for errors and for the result of the run, without secrets.
    fn address(&self) -> String;

    /// What `explain` and the progress call it: `write_parquet`.
    fn label(&self) -> String;

    /// Whether this run has published its next write here before; if so, what it published is reported by
    /// [`SinkRun::published`], and the write is counted by [`SinkRun::next_write`].
    ///
    /// It is asked before a source is planned, so that a retry after success costs the source nothing, and it claims
    /// nothing. A sink that leaves it out answers in [`begin`](Sink::begin) alone.
    ///
    /// # Errors
    /// Fenced when a newer attempt of the run has published; else by the failing operation.
    fn already_published(&self, _run: &SinkRun) -> Result<bool> {
        Ok(false)
    }

    /// Prepares a publish of rows of these columns.
    ///
    /// # Errors
    /// Config when the target cannot take the columns, or the mode does not allow what is there; fenced when a newer
    /// attempt of the run has begun.
    fn begin(&self, columns: &SchemaRef, run: &SinkRun) -> Result<Begin<Self::Held, Self::Stage>>;

    /// Begins the part of a task.
    ///
    /// # Errors
    /// Transient for what may go away by itself: the task runs again.
    fn open<'t>(
        &'t self,
        stage: &'t Self::Stage,
        task: &'t SinkTask<'t>,
    ) -> Result<Box<dyn PartWriter<Part = Self::Part> + 't>>;

    /// Publishes `parts`, one for each partition, in their order, and nothing else that tasks have written.
    ///
    /// It reports what it has published by [`SinkRun::published`], before the guard of [`SinkRun::committing`] is
    /// dropped.
    ///
    /// # Errors
    /// Fenced after a newer attempt; transient, with the reason `outcome_unknown`, when nobody can tell whether the
    /// rows are published.
    fn commit(&self, held: Self::Held, parts: Vec<Self::Part>, run: &SinkRun) -> Result<()>;
}

/// The answer of [`Sink::begin`].
pub enum Begin<H, S> {
    /// There is nothing to do, or this run has published before and has reported that; no row is computed.
    Done,
    /// Rows are wanted.
    Begun {
        /// What the driver keeps until the commit.
        held: H,
        /// What tasks are given.
        stage: S,
    },
}

/// Writes the part of one task.
pub trait PartWriter {
    /// What is left for the commit.
    type Part;

    /// Adds a batch of rows.
    ///
    /// # Errors
    /// Data when the target cannot hold a value, with its place; else by the failing operation.
    fn write(&mut self, batch: &RecordBatch) -> Result<()>;

    /// Ends the part. Its rows are durable when this returns, or once the commit has waited for them.
    ///
    /// # Errors
    /// By the failing operation.
    fn finish(self: Box<Self>) -> Result<Self::Part>;
}

/// The run that publishes.
pub struct SinkRun {
    run: Arc<Run>,
}

impl SinkRun {
    pub(crate) fn new(run: &Arc<Run>) -> SinkRun {
        SinkRun { run: Arc::clone(run) }
    }

    /// The name of the run, the same on its retries.
    pub fn run_id(&self) -> &str {
        self.run.run_id()
    }

    /// The number of the attempt, larger than that of every earlier one, where the caller counts.
    pub fn attempt(&self) -> Option<u32> {
        self.run.identity().attempt
    }

    /// Whether the caller gave the run id. A random one names this process alone: a retry is another run.
    pub fn is_named(&self) -> bool {
        self.run.identity().is_given
    }

    /// The number of the run's next write to `address`, from 0 up: a run that writes twice to one place publishes twice.
    pub fn next_write(&self, address: &str) -> u32 {
        self.run.next_write(address)
    }

    /// The number that [`next_write`](SinkRun::next_write) gives next for `address`; it is not counted.
    pub fn writes_to(&self, address: &str) -> u32 {
        self.run.writes_to(address)
    }

    /// What the caller wants to happen to what is there, by `--kiln-mode` or `KILN_MODE`; a job's own choice comes first.
    pub fn mode(&self) -> Option<Mode> {
        self.run.options().mode
    }

    /// Fails when the run is to stop: to be called in long waits of the driver.
    ///
    /// # Errors
    /// Of class cancelled.
    pub fn check(&self) -> Result<()> {
        match self.run.cancel.is_requested() {
            true => Err(Error::job_stopped()),
            false => Ok(()),
        }
    }

    /// Begins the commit: while the guard lives, a cancel waits for it.
    ///
    /// # Errors
    /// Of class cancelled once the run was asked to stop: then nothing may be published.
    pub fn committing(&self) -> Result<CommitGuard> {
        self.run.committing()
    }

    /// Reports what is published, to be called after the commit and never before.
    pub fn published(&self, output: Output) {
        self.run.published(output);
    }

    /// Ends the job with code 99, unless it fails or publishes.
    pub fn skip(&self, why: &str) {
        self.run.skip(why);
    }

    /// The run, for the engine's own sinks.
    pub(crate) fn run(&self) -> &Arc<Run> {
        &self.run
    }
}

/// What a task writes, and what it may use.
pub struct SinkTask<'a> {
    task: &'a Task<'a>,
    schema: &'a SchemaRef,
}

impl<'a> SinkTask<'a> {
    pub(crate) fn new(task: &'a Task<'a>, schema: &'a SchemaRef) -> SinkTask<'a> {
        SinkTask { task, schema }
    }

    /// The columns of the rows.
    pub fn schema(&self) -> &SchemaRef {
        self.schema
    }

    /// The number of the task's partition, from 0.
    pub fn partition(&self) -> usize {
        self.task.partition
    }

    /// Which attempt at the partition this is, from 0. Two may be alive at the same time.
    pub fn attempt(&self) -> u32 {
        self.task.env.attempt
    }

    /// How large the batches are that come.
    pub fn limits(&self) -> BatchLimits {
        self.task.env.limits()
    }

    /// Fails when the task is to stop.
    ///
    /// # Errors
    /// Of class cancelled.
    pub fn check(&self) -> Result<()> {
        self.task.check()
    }

    /// The task, for the engine's own sinks.
    pub(crate) fn task(&self) -> &'a Task<'a> {
        self.task
    }
}
