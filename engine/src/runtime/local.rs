//! Runs tasks on slots of this process: one executor that is never lost.

use std::sync::Arc;
use std::time::Duration;

use kiln_planner::ExchangeId;

use super::backend::{Backend, Launch};
use super::host::Events;
use super::inputs::TaskInputs;
use super::worker::{Assignment, Process, Worker};
use crate::driver::{Event, ExecutorId, TaskId, TaskInput};
use crate::error::Result;
use crate::job::CleanupGuard;
use crate::memory::Memory;

const ME: ExecutorId = ExecutorId(0);

/// This process as an executor.
pub struct LocalBackend {
    worker: Worker,
    memory: Arc<Memory>,
    /// Removes temporary files when a signal ends the process.
    _cleanup: CleanupGuard,
}

impl LocalBackend {
    /// Starts `slots` slots, whose statuses are sent to `events`.
    ///
    /// # Errors
    /// Of class resource when the threads cannot be started.
    pub fn start(
        slots: usize,
        process: Process,
        cleanup: CleanupGuard,
        events: Events,
    ) -> Result<LocalBackend> {
        let (statuses, memory) = (events.clone(), Arc::clone(&process.memory));
        let worker = Worker::new(slots, process, move |task, outcome| {
            statuses.send(Event::TaskFinished { executor: ME, task, outcome });
        })?;
        events.send(Event::ExecutorJoined { executor: ME, slots: slots as u32 });
        Ok(LocalBackend { worker, memory, _cleanup: cleanup })
    }
}

/// Removes the temporary files. The threads of the slots end later, those of a task that does not check for
/// cancellation much later, and the process does not wait for them.
impl Drop for LocalBackend {
    fn drop(&mut self) {
        self.memory.clear();
    }
}

impl Backend for LocalBackend {
    fn launch(&mut self, launch: Launch) {
        self.worker.start(Assignment {
            task: launch.task,
            plan: Arc::clone(&launch.stage.plan),
            output: launch.stage.output,
            inputs: self.reader(launch.inputs),
        });
    }

    fn abort(&mut self, _: ExecutorId, task: TaskId) {
        self.worker.abort(task);
    }

    fn forget(&mut self, _: ExecutorId, exchange: ExchangeId) {
        self.worker.store().forget(exchange);
    }

    fn give_up(&mut self, _: ExecutorId, reason: &str) {
        log::error!("the process's own executor was given up: {reason}");
    }

    fn reader(&self, inputs: Vec<TaskInput>) -> TaskInputs {
        TaskInputs::new(inputs, Arc::clone(self.worker.store()), Some(ME), None)
    }

    fn quiesce(&mut self, limit: Duration) {
        self.worker.quiesce(limit);
    }
}
