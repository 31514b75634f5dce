//! The driver: runs jobs on executors and survives their failures, as a pure state machine.
//!
//! Events and the time go in, actions come out. There is no clock, socket, thread or randomness inside, so a
//! whole cluster can be simulated from one seed (`simulation`). Each step has two halves: the event changes
//! the recorded state (`outcome`, `loss`, `ending`), then `settle` derives the consequences: jobs that are
//! done, tasks that can start. Nothing that can be derived is stored, so a loss needs no repair: a stage
//! whose output was lost is simply incomplete again.
//!
//! ```text
//!   event ──▶ step ──▶ executors   who lives, which slots are taken
//!                      outputs     what is computed, and where it lies
//!                      jobs        what is wanted, how often it was tried
//!                        └──▶ settle ──▶ actions
//! ```
//!
//! The driver does not know what a task computes, how data is transferred or how executors are started.

use std::collections::BTreeMap;
use std::time::Duration;

mod books;
mod ending;
mod event;
mod executors;
mod frontier;
mod guard;
mod ids;
mod job;
mod limits;
mod loss;
mod outcome;
mod output;
mod outputs;
mod settle;
mod spec;

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod stories;

pub use event::{Action, Event, Located, TaskInput, TaskReport};
pub use ids::{Attempt, ExecutorId, JobId, Partition, TaskId};
pub use limits::Limits;
pub use spec::{JobSpec, StageSpec};

use executors::{Executors, Joined};
use ids::ExchangeId;
#[cfg(test)]
use ids::StageId;
use job::Job;
use outputs::Outputs;
use settle::kept_is_lost;

use crate::error::Error;

/// Runs jobs on executors; the module documentation explains how.
#[derive(Debug)]
pub struct Driver {
    limits: Limits,
    /// The latest time passed to `step`.
    now: Duration,
    executors: Executors,
    outputs: Outputs,
    /// The jobs that have not ended.
    jobs: BTreeMap<JobId, Job>,
    /// The running tasks. A status of any other task is ignored.
    running: BTreeMap<TaskId, Running>,
    /// Since when there has been no executor, and why the last one was lost.
    deserted: Deserted,
    /// The actions of the current step.
    actions: Vec<Action>,
    #[cfg(test)]
    broken: Option<guard::Guard>,
}

/// A running task.
#[derive(Clone, Debug)]
struct Running {
    executor: ExecutorId,
    output: ExchangeId,
    /// The inputs as they were at the start: a missing input is compared with what the task was given.
    inputs: Vec<TaskInput>,
}

/// The state that matters when there are no executors.
#[derive(Debug, Default)]
struct Deserted {
    since: Duration,
    last_loss: Option<String>,
}

impl Driver {
    /// A driver with no executors and no jobs.
    pub fn new(limits: Limits) -> Driver {
        Driver {
            limits,
            now: Duration::ZERO,
            executors: Executors::default(),
            outputs: Outputs::default(),
            jobs: BTreeMap::new(),
            running: BTreeMap::new(),
            deserted: Deserted::default(),
            actions: Vec::new(),
            #[cfg(test)]
            broken: None,
        }
    }

    /// Handles one event that happened at `now`, measured from the start by a clock that never goes back, and
    /// returns the actions to carry out, in order.
    pub fn step(&mut self, now: Duration, event: Event) -> Vec<Action> {
        self.now = self.now.max(now);
        match event {
            Event::ExecutorJoined { executor, slots } => self.executor_joined(executor, slots),
            Event::ExecutorLost { executor, reason } => self.executor_lost(executor, &reason),
            Event::Heartbeat { executor } => self.executors.heard(executor, self.now),
            Event::Submit(spec) => self.submit(spec),
            Event::TaskFinished { executor, task, outcome } => self.task_finished(executor, task, outcome),
            Event::Cancel { job, error } => self.fail(job, error),
            Event::Release { exchange } => self.release(exchange),
            Event::Tick => self.give_up_silent(),
        }
        self.settle();
        std::mem::take(&mut self.actions)
    }

    fn executor_joined(&mut self, executor: ExecutorId, slots: u32) {
        match self.executors.join(executor, slots, self.now) {
            Joined::Welcome => {}
            Joined::Again => {
                self.notice(None, format!("{executor} joined twice; its second word is ignored"))
            }
            Joined::TooLate => {
                let reason = "it was given up and cannot come back under the same id".to_owned();
                self.actions.push(Action::GiveUp { executor, reason });
            }
        }
    }

    fn submit(&mut self, spec: JobSpec) {
        let id = spec.id;
        if self.jobs.contains_key(&id) {
            // Two jobs have the same id: every further message about it would be wrong for one of them.
            return self.fail(id, Error::bug("a job was submitted twice").at("job", id.0));
        }
        let checked = spec.stages.iter().try_for_each(|stage| self.outputs.check(stage));
        let checked =
            checked.and_then(|()| match spec.kept.iter().find(|kept| !self.outputs.is_complete(**kept)) {
                Some(lost) => Err(kept_is_lost(*lost)),
                None => Ok(()),
            });
        match checked.and_then(|()| Job::new(spec, self.now)) {
            Ok(job) => self.admit(job),
            Err(error) => {
                let error = error.at("job", id.0);
                self.actions.push(Action::JobFailed { job: id, error, retries: 0 });
            }
        }
    }

    fn admit(&mut self, mut job: Job) {
        for stage in &mut job.stages {
            self.outputs.admit(&stage.spec);
            stage.shown = self.outputs.find(stage.spec.output).map_or(0, |output| output.done());
        }
        job.look_at_all(&self.outputs);
        self.jobs.insert(job.id, job);
    }

    fn notice(&mut self, job: Option<JobId>, text: String) {
        self.actions.push(Action::Notice { job, text });
    }
}
