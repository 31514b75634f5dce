//! Scenario tests: an event is passed to the driver, and its actions are compared as text.
//!
//! Each test shows one fact. The simulation checks properties for random orders of events; here a reader sees
//! what happens in one order. After each event the driver's state is checked for consistency.

use std::time::Duration;

use super::{
    Action, Driver, Event, ExchangeId, ExecutorId, JobId, JobSpec, Limits, Located, StageId, StageSpec,
    TaskReport,
};
use super::{Attempt, Partition, TaskId};
use crate::error::{Error, LostOutput};

mod counting;
mod recovery;
mod reuse;
mod scheduling;

/// A driver, the time in seconds, and shorthands for events.
struct Play {
    driver: Driver,
    now: u64,
    /// All progress reports so far, apart from the other actions.
    progress: Vec<String>,
}

impl Play {
    /// Adds executors 1, 2, …, with the given numbers of slots.
    fn with_slots(slots: &[u32]) -> Play {
        let mut play = Play { driver: Driver::new(Limits::default()), now: 0, progress: Vec::new() };
        for (id, slots) in (1..).zip(slots) {
            play.tell(Event::ExecutorJoined { executor: ExecutorId(id), slots: *slots });
        }
        play
    }

    fn tell(&mut self, event: Event) -> String {
        let actions = self.driver.step(Duration::from_secs(self.now), event);
        self.driver.check_books().unwrap();
        self.progress.extend(actions.iter().filter_map(progress));
        actions.iter().filter_map(shown).collect::<Vec<_>>().join("\n")
    }

    fn submit(&mut self, job: u64, stages: Vec<StageSpec>) -> String {
        self.tell(Event::Submit(JobSpec { id: JobId(job), stages, kept: Vec::new() }))
    }

    /// Submits a job that reads outputs kept by earlier jobs.
    fn submit_over(&mut self, job: u64, kept: &[u64], stages: Vec<StageSpec>) -> String {
        let kept = kept.iter().copied().map(ExchangeId).collect();
        self.tell(Event::Submit(JobSpec { id: JobId(job), stages, kept }))
    }

    /// A task of job 1 succeeds; `e1 s0 p2 a0` names executor, stage, partition and attempt.
    fn done(&mut self, task: &str) -> String {
        self.done_in(1, task)
    }

    fn done_in(&mut self, job: u64, task: &str) -> String {
        self.ended(job, task, Ok(TaskReport::default()))
    }

    /// A task of `job` succeeds, and its closures have counted `count`.
    fn counted(&mut self, job: u64, task: &str, count: u64) -> String {
        self.ended(job, task, Ok(TaskReport { counters: vec![(0, count)], ..TaskReport::default() }))
    }

    fn failed(&mut self, task: &str, error: Error) -> String {
        self.ended(1, task, Err(error))
    }

    /// A task of job 1 does not find the output of `exchange` that executor `from` should store.
    fn misses(&mut self, task: &str, exchange: u64, from: u32) -> String {
        let lost = LostOutput { exchange, executor: from };
        self.failed(task, Error::lost_output("connection reset", lost))
    }

    fn ended(&mut self, job: u64, task: &str, outcome: Result<TaskReport, Error>) -> String {
        let numbers: Vec<u32> = task.split(' ').map(|word| word[1..].parse().unwrap()).collect();
        let [executor, stage, partition, attempt] = numbers[..] else { panic!("not a task: {task}") };
        let (partition, attempt) = (Partition(partition), Attempt(attempt));
        let task = TaskId { job: JobId(job), stage: StageId(stage), partition, attempt };
        self.tell(Event::TaskFinished { executor: ExecutorId(executor), task, outcome })
    }

    fn lose(&mut self, executor: u32) -> String {
        self.tell(Event::ExecutorLost { executor: ExecutorId(executor), reason: "killed".to_owned() })
    }

    fn join(&mut self, executor: u32) -> String {
        self.tell(Event::ExecutorJoined { executor: ExecutorId(executor), slots: 1 })
    }

    fn release(&mut self, exchange: u64) -> String {
        self.tell(Event::Release { exchange: ExchangeId(exchange) })
    }
}

/// A stage whose output has the same number as the stage.
fn stage(id: u32, inputs: &[u64], partitions: u32) -> StageSpec {
    let inputs = inputs.iter().copied().map(ExchangeId).collect();
    let output = ExchangeId(u64::from(id));
    StageSpec { id: StageId(id), output, inputs, partitions, durable: false, keep: false }
}

/// Two tasks that write, then one that reads the output of both.
fn map_reduce() -> Vec<StageSpec> {
    vec![stage(0, &[], 2), stage(1, &[0], 1)]
}

/// One line per action, without notices and progress, which are only for display.
fn shown(action: &Action) -> Option<String> {
    Some(match action {
        Action::Launch { executor, task, inputs } => {
            let sources = inputs.iter().flat_map(|input| input.sources.iter());
            let job = if task.job == JobId(1) { String::new() } else { format!(" for job {}", task.job.0) };
            format!("run {}{}{job}", name(*executor, task), places(" from", sources))
        }
        Action::Abort { executor, task } => format!("abort {}", name(*executor, task)),
        Action::Forget { executor, exchange } => format!("e{} forgets x{}", executor.0, exchange.0),
        Action::GiveUp { executor, reason } => format!("give up e{}: {reason}", executor.0),
        Action::JobDone { job, outputs, retries, .. } => {
            format!("{job} done{}, {retries} retries", places(" on", outputs.iter()))
        }
        Action::JobFailed { job, error, .. } => format!("{job} failed: {error}"),
        Action::Counted { counters, .. } => format!("counted {counters:?}"),
        Action::Notice { .. } | Action::Progress { .. } => return None,
    })
}

fn progress(action: &Action) -> Option<String> {
    let Action::Progress { stage, done, total, .. } = action else { return None };
    Some(format!("{stage}: {done} of {total}"))
}

fn name(executor: ExecutorId, task: &TaskId) -> String {
    format!("e{} s{} p{} a{}", executor.0, task.stage.0, task.partition.0, task.attempt.0)
}

fn places<'a>(word: &str, located: impl Iterator<Item = &'a Located>) -> String {
    let places: Vec<String> = located.map(|at| format!(" e{}", at.executor.0)).collect();
    if places.is_empty() { String::new() } else { format!("{word}{}", places.concat()) }
}
