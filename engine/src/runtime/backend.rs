//! The interface between the driver and whatever runs its tasks.

use std::sync::Arc;
use std::time::Duration;

use kiln_planner::{ExchangeId, Stage};

use super::inputs::TaskInputs;
use crate::driver::{ExecutorId, TaskId, TaskInput};

/// A task to start.
pub struct Launch {
    /// The executor that runs it.
    pub executor: ExecutorId,
    /// The task.
    pub task: TaskId,
    /// The stage of the task.
    pub stage: Arc<Stage>,
    /// Where its inputs are stored.
    pub inputs: Vec<TaskInput>,
}

/// Carries out the driver's decisions. All calls come from one thread, and only `quiesce` may wait for tasks;
/// statuses are returned as events.
pub trait Backend: Send {
    /// Starts a task.
    fn launch(&mut self, launch: Launch);

    /// Stops a task and deletes what it wrote.
    fn abort(&mut self, executor: ExecutorId, task: TaskId);

    /// Deletes an output.
    fn forget(&mut self, executor: ExecutorId, exchange: ExchangeId);

    /// Ends an executor.
    fn give_up(&mut self, executor: ExecutorId, reason: &str);

    /// A reader of outputs for the driver itself, which fetches results for the user.
    fn reader(&self, inputs: Vec<TaskInput>) -> TaskInputs;

    /// Waits until no task is running in this process or its executors, at most `limit`.
    fn quiesce(&mut self, limit: Duration);
}
