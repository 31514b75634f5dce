//! The loss of an executor: of the tasks that it ran and the outputs that it stored.
//!
//! Both are only removed here. `settle` derives what has to be computed again from what is still needed: a
//! lost cache that no current job reads is left alone, and a lost input of an unfinished stage makes its
//! producers run again, back to the sources if necessary.

use super::guard::Guard;
use super::ids::{ExecutorId, TaskId};
use super::outcome::placed;
use super::{Action, Driver};
use crate::error::Error;

impl Driver {
    pub(super) fn executor_lost(&mut self, executor: ExecutorId, reason: &str) {
        let Some(buried) = self.executors.bury(executor) else { return };
        for task in &buried.running {
            self.take_back(*task);
        }
        let outputs =
            if self.has(Guard::OutputDiesWithExecutor) { self.outputs.lose_executor(executor) } else { 0 };
        let tasks = buried.running.len();
        let tasks = if tasks == 1 { "1 task starts".to_owned() } else { format!("{tasks} tasks start") };
        let outputs = if outputs == 1 { "1 output is".to_owned() } else { format!("{outputs} outputs are") };
        let text = format!("{executor} is lost: {reason}; {tasks} again, {outputs} gone");
        self.notice(None, text);
        self.deserted.since = self.now;
        self.deserted.last_loss = Some(format!("{executor}: {reason}"));
        for task in buried.running {
            self.blame(executor, task, reason);
        }
    }

    /// Counts the loss against a task that was running on the executor; at the limit the job fails.
    fn blame(&mut self, executor: ExecutorId, task: TaskId, reason: &str) {
        let limit = self.limits.max_losses_per_task;
        let stage = self.jobs.get_mut(&task.job).and_then(|job| job.stage_mut(task.stage));
        let Some(tries) = stage.and_then(|stage| stage.tries_mut(task.partition)) else { return };
        tries.losses += 1;
        if tries.losses >= limit {
            let text = format!("{limit} executors were lost while they ran this task: {reason}");
            let error = placed(Error::resource(text), executor, task);
            let advice = "the task is the likely cause: look for memory use, abort and deep recursion";
            self.fail(task.job, error.help(advice));
        }
    }

    /// Removes every executor that has been silent for too long.
    pub(super) fn give_up_silent(&mut self) {
        let limit = self.limits.executor_silence;
        for executor in self.executors.silent(self.now, limit) {
            let reason = format!("silent for more than {} s", limit.as_secs_f64());
            self.actions.push(Action::GiveUp { executor, reason: reason.clone() });
            self.executor_lost(executor, &reason);
        }
    }
}
