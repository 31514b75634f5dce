//! What the driver needs of whatever runs its tasks.

use std::sync::Arc;
use std::time::Duration;

use kiln_planner::{ExchangeId, Stage};

use super::inputs::TaskInputs;
use crate::driver::{ExecutorId, TaskId, TaskInput};

/// One task to start.
pub struct Launch {
    /// Where.
    pub executor: ExecutorId,
    /// Which task.
    pub task: TaskId,
    /// Its stage.
    pub stage: Arc<Stage>,
    /// Where its inputs lie.
    pub inputs: Vec<TaskInput>,
}

/// Carries out what the driver decides. Calls come from one thread and must not wait for tasks;
/// statuses go back as events.
pub trait Backend: Send {
    /// Starts a task.
    fn launch(&mut self, launch: Launch);

    /// Stops a task and drops what it wrote.
    fn abort(&mut self, executor: ExecutorId, task: TaskId);

    /// Drops an output.
    fn forget(&mut self, executor: ExecutorId, exchange: ExchangeId);

    /// Ends an executor.
    fn give_up(&mut self, executor: ExecutorId, reason: &str);

    /// A reader of outputs for the driver itself: how results reach the user.
    fn reader(&self, inputs: Vec<TaskInput>) -> TaskInputs;

    /// Waits until no task of this process or of its executors runs any more, at most `limit`.
    fn quiesce(&mut self, limit: Duration);
}
