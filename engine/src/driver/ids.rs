//! The names of jobs, stages, tasks and executors: numbers that the compiler does not mix up.
//!
//! They cross the wire and stand in log lines, so each has a serde form and a `Display` that reads
//! as words ("stage 2"). An [`ExchangeId`] is the only one that outlives a job: it names the output
//! of a stage for as long as the context lives. Nothing here knows what the numbers stand for.

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
    /// One action of the program: from a dataset to its result.
    JobId(u64) "job"
    /// One of the pieces that a stage works on, counted from 0.
    Partition(u32) "task"
    /// One try to run a partition; never used twice for the same partition of the same exchange.
    Attempt(u32) "attempt"
    /// A process that runs tasks; a restarted one gets a new number.
    ExecutorId(u32) "executor"
}

/// One try to run one partition of one stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TaskId {
    /// The job that pays for it.
    pub job: JobId,
    /// The stage it belongs to.
    pub stage: StageId,
    /// The piece of the stage that it computes.
    pub partition: Partition,
    /// Which try this is.
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
