//! The consequences of the current state, derived after every event.
//!
//! First the jobs whose result is complete end, then those that cannot go on, because there is no executor or
//! a kept input is lost. Then free slots are filled: the oldest job first, its earliest stage, its lowest
//! partition, on the executor with the most free slots. Last comes the watchdog: a job that has no running
//! task and does not wait for a slot would hang for ever, so it fails with an error instead.

use super::guard::Guard;
use super::ids::{Attempt, ExchangeId, ExecutorId, JobId, Partition, StageId, TaskId};
use super::job::{Job, Stage};
use super::{Action, Driver, Running, TaskInput};
use crate::error::{Error, LostOutput};

impl Driver {
    pub(super) fn settle(&mut self) {
        self.look_at_changes();
        for job in self.jobs_that(|driver, job| driver.is_finished(job)) {
            self.finish(job);
        }
        if !self.executors.have_slots() {
            return self.fail_deserted();
        }
        for (job, exchange) in self.jobs_with_lost_inputs() {
            self.fail(job, kept_is_lost(exchange).at("job", job.0));
        }
        self.fill_slots();
        for job in self.jobs_that(|driver, job| driver.stands_still(job)) {
            let states = self.jobs.get(&job).map(|job| self.stage_states(job)).unwrap_or_default();
            let error = Error::bug("the job stands still with executors present").at("stages", states);
            self.fail(job, error.at("job", job.0));
        }
    }

    fn jobs_that(&self, holds: impl Fn(&Driver, &Job) -> bool) -> Vec<JobId> {
        self.jobs.values().filter(|job| holds(self, job)).map(|job| job.id).collect()
    }

    fn jobs_with_lost_inputs(&self) -> Vec<(JobId, ExchangeId)> {
        self.jobs.values().filter_map(|job| Some((job.id, job.lost_input(&self.outputs)?))).collect()
    }

    fn is_finished(&self, job: &Job) -> bool {
        job.result().is_none_or(|result| self.outputs.is_complete(result))
    }

    /// Fails the jobs that have waited long enough for an executor.
    fn fail_deserted(&mut self) {
        let (since, grace) = (self.deserted.since, self.limits.no_executor_grace);
        let waited_enough =
            |driver: &Driver, job: &Job| driver.now >= since.max(job.submitted).saturating_add(grace);
        for job in self.jobs_that(waited_enough) {
            let error = match &self.deserted.last_loss {
                Some(loss) => Error::transient(format!("no executor is left, the last was {loss}"))
                    .help("run it again; where nobody sent signal 9, memory was short: take fewer slots"),
                None => Error::transient("no executor has joined"),
            };
            self.fail(job, error.at("job", job.0));
        }
    }

    fn fill_slots(&mut self) {
        while let Some(executor) = self.executors.freest() {
            let ready = |job: &Job| Some((job.id, job.next_ready(&self.outputs)?));
            let Some((job, (stage, partition))) = self.jobs.values().find_map(ready) else { return };
            if self.launch(executor, job, stage, partition).is_none() {
                return; // the watchdog names the job
            }
        }
    }

    fn launch(
        &mut self,
        executor: ExecutorId,
        id: JobId,
        stage: StageId,
        partition: Partition,
    ) -> Option<()> {
        let fresh = self.has(Guard::FreshAttempt);
        let job = self.jobs.get_mut(&id)?;
        let stage = &job.stage(stage)?.spec;
        let (stage, exchange, read) = (stage.id, stage.output, stage.inputs.clone());
        let mut inputs = Vec::with_capacity(read.len());
        for exchange in read {
            inputs.push(TaskInput { exchange, sources: self.outputs.find_mut(exchange)?.table() });
        }
        let output = self.outputs.find_mut(exchange)?;
        // A start counts as a retry even if an earlier job computed the partition before, as for a lost
        // cache.
        job.retries += u32::from(output.was_started(partition));
        let attempt = if fresh { output.next_attempt(partition) } else { Attempt(0) };
        let task = TaskId { job: id, stage, partition, attempt };
        output.start(task, executor);
        self.executors.occupy(executor, task);
        let running = Running { executor, output: exchange, inputs: inputs.clone() };
        self.running.insert(task, running);
        self.actions.push(Action::Launch { executor, task, inputs });
        Some(())
    }

    /// Whether the job makes no progress: nothing that it wants is running or waits for a slot.
    fn stands_still(&self, job: &Job) -> bool {
        let is_running = self.running.values().any(|running| job.wants(running.output));
        let waits_for_slot = self.executors.freest().is_none() && job.next_ready(&self.outputs).is_some();
        !is_running && !waits_for_slot
    }

    /// `stage 0: 2 of 5 done, 3 waiting, wanted; stage 1: …`
    fn stage_states(&self, job: &Job) -> String {
        let state = |stage: &Stage| {
            let output = self.outputs.find(stage.spec.output);
            let (done, waiting) = output.map_or((0, 0), |output| (output.done(), output.waiting().len()));
            let wanted = if job.wants(stage.spec.output) { "wanted" } else { "not wanted" };
            format!(
                "{}: {done} of {} done, {waiting} waiting, {wanted}",
                stage.spec.id, stage.spec.partitions
            )
        };
        job.stages.iter().map(state).collect::<Vec<_>>().join("; ")
    }

    /// Passes the changed outputs to each job, and reports the progress of its stages.
    fn look_at_changes(&mut self) {
        let touched = self.outputs.take_touched();
        for job in self.jobs.values_mut() {
            touched.iter().for_each(|exchange| job.look_at(*exchange, &self.outputs));
            for exchange in &touched {
                let (id, wanted) = (job.id, job.wants(*exchange));
                let Some(stage) = job.stage_that_fills(*exchange) else { continue };
                let done = self.outputs.find(*exchange).map_or(0, |output| output.done());
                // Lost partitions that no stage needs are not computed again, so progress does not go back.
                if done > stage.shown || (done < stage.shown && wanted) {
                    stage.shown = done;
                    let (stage, total) = (stage.spec.id, stage.spec.partitions);
                    self.actions.push(Action::Progress { job: id, stage, done, total });
                }
            }
        }
    }
}

/// The error of a lost kept output. The caller then adds the stages that compute it and submits the job
/// again.
pub(super) fn kept_is_lost(exchange: ExchangeId) -> Error {
    // No particular executor: several may have stored a part of the output.
    let lost = LostOutput { exchange: exchange.0, executor: u32::MAX };
    Error::lost_output("rows that an earlier job has kept are lost", lost)
}
