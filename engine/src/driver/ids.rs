//! The ids of jobs, stages, tasks and executors, as newtypes that cannot be confused.
//!
//! Ids are sent over the network and written to logs, so each has a serde form and a `Display` that reads as
//! words ("stage 2"). Only an [`ExchangeId`] outlives its job: it identifies the output of a stage for as
//! long as the context lives. Nothing here knows what an id refers to.

use std::fmt;

pub use kiln_planner::{ExchangeId, StageId};
use serde::{Deserialize, Serialize};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident($inner:ty) $word:literal)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($word, " {}"), self.0)
            }
        }
    )*};
}

ids! {
    /// A list of stages that compute one result. An action of the program runs one or several jobs.
    JobId(u64) "job"
    /// One partition of a stage, counted from 0.
    Partition(u32) "task"
    /// One attempt at a partition; the number is never reused for the same partition of the same exchange.
    Attempt(u32) "attempt"
    /// A process that runs tasks; after a restart it gets a new id.
    ExecutorId(u32) "executor"
}

/// One attempt at one partition of one stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TaskId {
    /// The job that the task runs for.
    pub job: JobId,
    /// The stage of the task.
    pub stage: StageId,
    /// The partition that the task computes.
    pub partition: Partition,
    /// The number of the attempt.
    pub attempt: Attempt,
}

/// `job 7 stage 2 task 14 attempt 1`
impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} {}", self.job, self.stage, self.partition, self.attempt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_reads_as_words() {
        let task = TaskId { job: JobId(7), stage: StageId(2), partition: Partition(14), attempt: Attempt(1) };
        assert_eq!(task.to_string(), "job 7 stage 2 task 14 attempt 1");
    }
}
