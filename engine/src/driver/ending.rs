//! The end of a job, and the cleanup that follows: its running tasks, and the outputs nobody needs any more.
//!
//! An output outlives its job for one of three reasons: another live job uses it, it is cached, or the caller
//! has not yet fetched the result. Executors delete all other outputs. The end of the job is reported last,
//! so by the time a caller sees it, none of the job's tasks is running.

use super::ids::{ExchangeId, JobId, TaskId};
use super::job::Job;
use super::{Action, Driver};
use crate::error::Error;

impl Driver {
    /// Ends a live job successfully; its result must be complete.
    pub(super) fn finish(&mut self, id: JobId) {
        let Some(job) = self.jobs.remove(&id) else { return };
        let (mut reports, mut outputs) = (Vec::new(), Vec::new());
        if let Some(result) = job.result().and_then(|exchange| self.outputs.find_mut(exchange)) {
            reports.extend(result.reports());
            outputs.extend(result.winners());
            result.holds += u32::from(!result.durable && !result.keep);
        }
        self.clean_up(&job);
        self.actions.push(Action::JobDone { job: id, reports, outputs, retries: job.retries });
    }

    /// Fails a live job. A job that has already ended is not affected.
    pub(super) fn fail(&mut self, id: JobId, error: Error) {
        let Some(job) = self.jobs.remove(&id) else { return };
        self.clean_up(&job);
        self.actions.push(Action::JobFailed { job: id, error, retries: job.retries });
    }

    /// Drops one of the references that keep an output.
    pub(super) fn release(&mut self, exchange: ExchangeId) {
        let Some(output) = self.outputs.find_mut(exchange) else { return };
        match output.holds {
            0 => output.keep = false,
            _ => output.holds -= 1,
        }
        self.forget_unneeded(exchange);
    }

    fn clean_up(&mut self, job: &Job) {
        let is_its = |task: &&TaskId| task.job == job.id;
        let tasks: Vec<TaskId> = self.running.keys().filter(is_its).copied().collect();
        for task in tasks {
            if let Some(running) = self.take_back(task) {
                self.actions.push(Action::Abort { executor: running.executor, task });
            }
        }
        job.outputs_used().for_each(|exchange| self.forget_unneeded(exchange));
    }

    fn forget_unneeded(&mut self, exchange: ExchangeId) {
        let Some(output) = self.outputs.find(exchange) else { return };
        let in_use = self.jobs.values().any(|job| job.uses(exchange));
        if in_use || output.keep || output.holds > 0 {
            return;
        }
        let Some(output) = self.outputs.retire(exchange) else { return };
        if output.durable {
            return; // published files are the sink's, not the executors'
        }
        for executor in output.touched().filter(|id| self.executors.is_living(*id)) {
            self.actions.push(Action::Forget { executor, exchange });
        }
    }
}
