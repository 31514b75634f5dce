//! How many failures a job tolerates.
//!
//! Each limit turns an endless series of retries into an error that names the cause.

use std::time::Duration;

/// The failures that a job tolerates.
#[derive(Clone, Debug)]
pub struct Limits {
    /// How often a task may fail with a transient error before the job fails; the last failure counts.
    pub max_task_attempts: u32,
    /// How many executors may be lost while they run the same task. At the limit the task is the likely
    /// cause, and the job fails before it takes down more executors.
    pub max_losses_per_task: u32,
    /// An executor that sends no message for longer than this counts as lost. `Duration::MAX` for an executor
    /// in this process, which cannot be lost.
    pub executor_silence: Duration,
    /// How often in a row, without a success in between, tasks of a stage may find an input missing that the
    /// driver listed as available; one more fails the job.
    pub max_consecutive_fetch_failures: u32,
    /// How long a job waits while there is no executor at all. With zero it fails at once, so an executor
    /// must join before the first job is submitted.
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
