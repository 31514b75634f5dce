//! The input and output of the driver's state machine: events and actions.
//!
//! Events enter through [`Driver::step`](super::Driver::step). The actions that it returns must be carried
//! out in order for each executor. The caller owns the sockets and the clock: it turns messages into events
//! and actions into messages, and the driver knows neither. A task status may arrive twice, late or out of
//! order; the driver ignores every status that no longer counts.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ids::{Attempt, ExchangeId, ExecutorId, JobId, Partition, StageId, TaskId};
use super::spec::JobSpec;
use crate::error::Error;

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// An executor is ready for work. Executor ids are never reused, not even after a restart.
    ExecutorJoined {
        /// The id of the new executor.
        executor: ExecutorId,
        /// How many tasks it can run at once.
        slots: u32,
    },
    /// The connection to an executor broke or its process ended.
    ExecutorLost {
        /// The lost executor.
        executor: ExecutorId,
        /// What was observed: for the log, and for the error if no executor is left.
        reason: String,
    },
    /// A sign of life from an executor. Every other message from it counts as one too.
    Heartbeat {
        /// The executor that sent it.
        executor: ExecutorId,
    },
    /// A new job.
    Submit(JobSpec),
    /// A task has ended, as reported by its executor.
    TaskFinished {
        /// The executor that ran the task.
        executor: ExecutorId,
        /// The task.
        task: TaskId,
        /// The report of a success, or the error.
        outcome: Result<TaskReport, Error>,
    },
    /// Cancels a job, which then fails with `error`.
    Cancel {
        /// The job. If it has already ended, nothing happens.
        job: JobId,
        /// The reason, passed on in [`Action::JobFailed`].
        error: Error,
    },
    /// An output that outlived its job is no longer needed.
    ///
    /// Every [`Action::JobDone`] whose result is stored on executors needs one release. A further release
    /// ends `keep`; after that a release has no effect.
    Release {
        /// The output.
        exchange: ExchangeId,
    },
    /// Time has passed. Send it about once a second, and only after all pending messages have been passed on:
    /// a heartbeat that is still queued must not look like silence.
    Tick,
}

/// Something that the caller has to do.
#[derive(Clone, Debug)]
pub enum Action {
    /// Start a task on an executor.
    Launch {
        /// The executor.
        executor: ExecutorId,
        /// The task.
        task: TaskId,
        /// Where its inputs are stored, in the order of the stage's inputs.
        inputs: Vec<TaskInput>,
    },
    /// Stop a task and delete what it wrote. No status is expected; one that still arrives is ignored.
    Abort {
        /// The executor that runs the task.
        executor: ExecutorId,
        /// The task.
        task: TaskId,
    },
    /// Delete everything that an executor stores of an output.
    Forget {
        /// The executor.
        executor: ExecutorId,
        /// The output.
        exchange: ExchangeId,
    },
    /// Close the connection to an executor and kill its process: it was silent for too long, or its id has
    /// been used up.
    GiveUp {
        /// The executor.
        executor: ExecutorId,
        /// The reason, for the log.
        reason: String,
    },
    /// A job has succeeded.
    JobDone {
        /// The job.
        job: JobId,
        /// The reports of the successful attempts of the result stage, by partition.
        reports: Vec<TaskReport>,
        /// Where the output of the result stage is stored, by partition, until [`Event::Release`].
        outputs: Vec<Located>,
        /// How many tasks were started beyond the first start of each partition.
        retries: u32,
    },
    /// A job has failed or was cancelled.
    JobFailed {
        /// The job.
        job: JobId,
        /// The root cause.
        error: Error,
        /// How many tasks were started beyond the first start of each partition.
        retries: u32,
    },
    /// A partition of an intermediate stage was computed for the first time: the counts of its closures. The
    /// counts of the result stage are in its reports, because only the caller knows whether they are valid.
    Counted {
        /// Counter numbers, each with its count.
        counters: Vec<(u32, u64)>,
        /// Accumulator numbers, each with its partial value, which is opaque to the driver.
        accumulated: Vec<(u32, Vec<u8>)>,
    },
    /// A line for the log.
    Notice {
        /// The job that the line is about, if any.
        job: Option<JobId>,
        /// The text.
        text: String,
    },
    /// A stage has finished more partitions, or has lost finished ones that it must compute again.
    Progress {
        /// The job.
        job: JobId,
        /// The stage.
        stage: StageId,
        /// The number of finished partitions.
        done: u32,
        /// The number of all partitions.
        total: u32,
    },
}

/// What a task reports about its output.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskReport {
    /// Rows written.
    pub rows: u64,
    /// Bytes written.
    pub bytes: u64,
    /// What the job's closures counted: counter numbers, each with its count.
    pub counters: Vec<(u32, u64)>,
    /// What they accumulated: accumulator numbers, each with its partial value, which is opaque to the
    /// driver.
    pub accumulated: Vec<(u32, Vec<u8>)>,
    /// The file manifest of a sink; opaque to the driver.
    pub payload: Vec<u8>,
}

/// Where the output of one partition is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Located {
    /// The partition that was computed.
    pub partition: Partition,
    /// The attempt that succeeded first.
    pub attempt: Attempt,
    /// The executor that stores the output.
    pub executor: ExecutorId,
}

/// One input of a task: all partitions of an exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskInput {
    /// The exchange.
    pub exchange: ExchangeId,
    /// The locations of its partitions, in partition order; shared by all tasks that read the exchange.
    pub sources: Arc<[Located]>,
}
