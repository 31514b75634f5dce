//! What the driver hears and what it wants done.
//!
//! Events enter through [`Driver::step`](super::Driver::step), actions leave it in the order in which
//! they must be carried out for one executor. Whoever owns the sockets and the clock turns messages
//! into events and actions into messages; the driver knows neither. Statuses may come twice, late or
//! out of order: the driver ignores what no longer counts.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ids::{Attempt, ExchangeId, ExecutorId, JobId, Partition, StageId, TaskId};
use super::spec::JobSpec;
use crate::error::Error;

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// An executor is ready for work. Ids are never used again, not even after a restart.
    ExecutorJoined {
        /// Its new id.
        executor: ExecutorId,
        /// How many tasks it runs at once.
        slots: u32,
    },
    /// The connection to an executor broke or its process ended.
    ExecutorLost {
        /// Which one.
        executor: ExecutorId,
        /// What was seen, for the log and for the error if no executor is left.
        reason: String,
    },
    /// An executor says that it is alive. Every other message from it counts as well.
    Heartbeat {
        /// Which one.
        executor: ExecutorId,
    },
    /// A job is to be run.
    Submit(JobSpec),
    /// An executor says how a task ended.
    TaskFinished {
        /// The one that ran it.
        executor: ExecutorId,
        /// The task.
        task: TaskId,
        /// What it made, or why it failed.
        outcome: Result<TaskReport, Error>,
    },
    /// A job is to be ended; it fails with `error`.
    Cancel {
        /// Which one; a job that has ended is left alone.
        job: JobId,
        /// Why, for [`Action::JobFailed`].
        error: Error,
    },
    /// An output that outlived its job is not needed any more.
    ///
    /// One release answers one [`Action::JobDone`] whose result lay on executors; once those are
    /// answered, it ends `keep`. A release of nothing does nothing.
    Release {
        /// Which one.
        exchange: ExchangeId,
    },
    /// Time has passed. To be sent about every second, and only when all waiting messages have been
    /// handed in: a heartbeat still in a queue must not look like silence.
    Tick,
}

/// Something that is to be done.
#[derive(Clone, Debug)]
pub enum Action {
    /// Run this task there.
    Launch {
        /// Where.
        executor: ExecutorId,
        /// What.
        task: TaskId,
        /// Where its inputs lie, in the order of the stage's inputs.
        inputs: Vec<TaskInput>,
    },
    /// Stop this task and drop what it wrote; no status is expected, one that comes is ignored.
    Abort {
        /// Where it runs.
        executor: ExecutorId,
        /// Which one.
        task: TaskId,
    },
    /// Drop all that this executor holds of that output.
    Forget {
        /// Where.
        executor: ExecutorId,
        /// Which one.
        exchange: ExchangeId,
    },
    /// Close the connection and kill the process: it was silent too long, or its id is used up.
    GiveUp {
        /// Which one.
        executor: ExecutorId,
        /// Why, for the log.
        reason: String,
    },
    /// The job has succeeded.
    JobDone {
        /// Which one.
        job: JobId,
        /// What the winning attempts of the result stage reported, by partition.
        reports: Vec<TaskReport>,
        /// Where the output of the result stage lies, by partition, until [`Event::Release`].
        outputs: Vec<Located>,
        /// Task starts beyond the first of each partition.
        retries: u32,
    },
    /// The job has failed or was cancelled.
    JobFailed {
        /// Which one.
        job: JobId,
        /// The root cause.
        error: Error,
        /// Task starts beyond the first of each partition.
        retries: u32,
    },
    /// A partition of an inner stage is computed for the first time: what its closures counted. The
    /// counts of the result stage are in its reports, as only the caller knows whether they count.
    Counted {
        /// By the counters' numbers.
        counters: Vec<(u32, u64)>,
        /// By the accumulators' numbers; opaque here.
        accumulated: Vec<(u32, Vec<u8>)>,
    },
    /// A line for the log.
    Notice {
        /// The job it is about, if it is about one.
        job: Option<JobId>,
        /// The line.
        text: String,
    },
    /// A stage got on, or lost finished work that it has to do again.
    Progress {
        /// The job.
        job: JobId,
        /// Its stage.
        stage: StageId,
        /// Partitions that are finished.
        done: u32,
        /// All partitions.
        total: u32,
    },
}

/// What a finished task says about its output.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskReport {
    /// Rows written.
    pub rows: u64,
    /// Bytes written.
    pub bytes: u64,
    /// What the job's closures counted: each counter's number and by how much.
    pub counters: Vec<(u32, u64)>,
    /// What they accumulated beyond that: each accumulator's number and its partial value; opaque here.
    pub accumulated: Vec<(u32, Vec<u8>)>,
    /// A sink's file manifest; opaque here.
    pub payload: Vec<u8>,
}

/// Where the output of one partition lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Located {
    /// The partition that was computed.
    pub partition: Partition,
    /// The attempt that won.
    pub attempt: Attempt,
    /// The executor that holds the output.
    pub executor: ExecutorId,
}

/// One input of a task: all partitions of an exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskInput {
    /// Which exchange.
    pub exchange: ExchangeId,
    /// Where its partitions lie, in partition order; shared by all tasks that read it.
    pub sources: Arc<[Located]>,
}
