//! The end of a task: success, another attempt, a new run of its producers, or the failure of the job.
//!
//! ```text
//!   success            → the winner of its partition
//!   output lost        → what lay there is computed again; the task waits, nothing counts against it
//!   transient error    → another try, until the limit
//!   any other error    → the job fails with it
//! ```
//!
//! A status counts only while its task is running, and only from the executor that runs it. This one rule
//! covers duplicates, old attempts, jobs that have ended and executors that were removed.

use super::guard::Guard;
use super::ids::{ExchangeId, ExecutorId, TaskId};
use super::job::Job;
use super::outputs::Outputs;
use super::{Action, Driver, Located, Running, TaskReport};
use crate::error::{Error, LostOutput, Result};

impl Driver {
    pub(super) fn task_finished(
        &mut self,
        executor: ExecutorId,
        task: TaskId,
        outcome: Result<TaskReport, Error>,
    ) {
        self.executors.heard(executor, self.now);
        let is_out = self.running.get(&task).is_some_and(|running| running.executor == executor);
        if !is_out && self.has(Guard::StatusOfRunningTask) {
            return;
        }
        let running = self.take_back(task);
        let outcome = outcome.map_err(|error| placed(error, executor, task));
        match (outcome, running) {
            (Ok(report), _) => self.succeeded(executor, task, report),
            (Err(error), Some(running)) => match error.lost() {
                Some(lost) => self.input_lost(task, &running, lost, error),
                None if error.is_retryable() => self.failed(executor, task, error),
                None => self.fail(task.job, error),
            },
            (Err(_), None) => {}
        }
    }

    /// Removes a running task: its slot becomes free and its partition waits again.
    pub(super) fn take_back(&mut self, task: TaskId) -> Option<Running> {
        let running = self.running.remove(&task)?;
        self.executors.vacate(running.executor, task);
        if let Some(output) = self.outputs.find_mut(running.output) {
            output.put_back(task.partition);
        }
        Some(running)
    }

    fn succeeded(&mut self, executor: ExecutorId, task: TaskId, mut report: TaskReport) {
        let Some(job) = self.jobs.get_mut(&task.job) else { return };
        let (counters, accumulated) = inner_counts(job, &self.outputs, task, &mut report);
        let Some(stage) = job.stage_mut(task.stage) else { return };
        stage.fetch_failures = 0;
        let located = Located { partition: task.partition, attempt: task.attempt, executor };
        let Some(output) = self.outputs.find_mut(stage.spec.output) else { return };
        if output.finish(located, report) && !(counters.is_empty() && accumulated.is_empty()) {
            self.actions.push(Action::Counted { counters, accumulated });
        }
    }

    fn failed(&mut self, executor: ExecutorId, task: TaskId, error: Error) {
        let limit = self.limits.max_task_attempts;
        let Some(job) = self.jobs.get_mut(&task.job) else { return };
        let Some(stage) = job.stage_mut(task.stage) else { return };
        let Some(tries) = stage.tries_mut(task.partition) else { return };
        tries.failures += 1;
        let failures = tries.failures;
        if failures >= limit {
            return self.fail(task.job, error.at("failure", format!("{failures} of {limit}")));
        }
        let text = format!("{task} failed on {executor}, {failures} of {limit}, and starts again: {error}");
        self.notice(Some(task.job), text);
    }

    /// Drops the output on `lost.executor`, but only the locations that the task was given. What has been
    /// computed again since then stays, or tasks that started together would each undo the repair.
    fn input_lost(&mut self, task: TaskId, running: &Running, lost: LostOutput, error: Error) {
        let from = ExecutorId(lost.executor);
        let told = running.inputs.iter().find(|input| input.exchange.0 == lost.exchange);
        let told = told.iter().flat_map(|input| input.sources.iter());
        let told: Vec<Located> = told.filter(|source| source.executor == from).copied().collect();
        if told.is_empty() {
            let text = format!("exchange {} from {from} is missed but was not to be read", lost.exchange);
            return self.fail(task.job, placed(Error::bug(text).because(error), running.executor, task));
        }
        let output = self.outputs.find_mut(ExchangeId(lost.exchange));
        let dropped =
            output.map_or(0, |output| told.into_iter().filter(|located| output.lose(*located)).count());
        if dropped > 0 && self.one_fetch_failure_too_many(task) {
            return self.fail(task.job, error);
        }
        let text = format!("{task} waits for {dropped} outputs to be computed again: {error}");
        self.notice(Some(task.job), text);
    }

    /// Counts a missing input against the stage and returns whether the limit is exceeded.
    fn one_fetch_failure_too_many(&mut self, task: TaskId) -> bool {
        let limit = self.limits.max_consecutive_fetch_failures;
        let stage = self.jobs.get_mut(&task.job).and_then(|job| job.stage_mut(task.stage));
        stage.is_some_and(|stage| {
            stage.fetch_failures += 1;
            stage.fetch_failures > limit
        })
    }
}

/// The counters and accumulators of a task.
type Counted = (Vec<(u32, u64)>, Vec<(u32, Vec<u8>)>);

/// Takes the counts of a task of an intermediate stage out of its report, and returns them if they are new.
/// The counts of the result stage stay in the report: only the caller knows whether they are valid, since it
/// may run that stage again.
fn inner_counts(job: &Job, outputs: &Outputs, task: TaskId, report: &mut TaskReport) -> Counted {
    let at = job.index(task.stage);
    let is_any = !(report.counters.is_empty() && report.accumulated.is_empty());
    let Some(at) = at.filter(|at| at + 1 < job.stages.len() && is_any) else { return Counted::default() };
    let counted = (std::mem::take(&mut report.counters), std::mem::take(&mut report.accumulated));
    if job.counts_anew(outputs)[at] { counted } else { Counted::default() }
}

/// Adds the location of the task that failed to `error`.
pub(super) fn placed(error: Error, executor: ExecutorId, task: TaskId) -> Error {
    error
        .at("stage", task.stage.0)
        .at("task", task.partition.0)
        .at("attempt", task.attempt.0)
        .at("executor", executor.0)
}
