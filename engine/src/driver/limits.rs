//! The limits within which a job goes on in spite of failures.
//!
//! Each one turns an endless repetition into an error that names its cause.

use std::time::Duration;

/// How much failure a job bears.
#[derive(Clone, Debug)]
pub struct Limits {
    /// How often a task may fail with a transient error; the last of these fails the job.
    pub max_task_attempts: u32,
    /// How many executors may be lost while they run a task; with the last of these the task is the
    /// likely cause, and the job fails before it takes more executors down.
    pub max_losses_per_task: u32,
    /// An executor that says nothing for longer than this is given up. `Duration::MAX` for an
    /// executor in this process, which cannot be lost.
    pub executor_silence: Duration,
    /// How often in a row, without a success in between, a stage may find an input missing that was
    /// thought to be there; one more fails the job.
    pub max_consecutive_fetch_failures: u32,
    /// How long a job waits while there is no executor at all. Zero fails it at once: an executor must
    /// have joined before the first job is submitted.
    pub no_executor_grace: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            max_task_attempts: 4,
            max_losses_per_task: 3,
            executor_silence: Duration::from_secs(5),
            max_consecutive_fetch_failures: 4,
            no_executor_grace: Duration::ZERO,
        }
    }
}
