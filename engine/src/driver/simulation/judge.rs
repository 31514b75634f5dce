//! The oracle: sees every event and action of the driver and reports violations.
//!
//! It keeps the simplest possible model: which executors live, which tasks are running, which attempt
//! succeeded first. It schedules nothing, so it cannot repeat the driver's mistakes.

use std::collections::{BTreeMap, BTreeSet};

use super::super::*;
use crate::error::Class;

type Place = (ExchangeId, Partition);
type Verdict = std::result::Result<(), String>;

#[derive(Default)]
pub(super) struct Judge {
    pub(super) specs: BTreeMap<JobId, JobSpec>,
    pub(super) live: BTreeSet<JobId>,
    living: BTreeMap<ExecutorId, u32>,
    out: BTreeMap<TaskId, (ExecutorId, Vec<TaskInput>)>,
    winners: BTreeMap<Place, Located>,
    attempts: BTreeSet<(ExchangeId, Partition, Attempt)>,
    /// Transient failures and lost executors, by job, stage and partition.
    failures: BTreeMap<(JobId, StageId, Partition), u32>,
    losses: BTreeMap<(JobId, StageId, Partition), u32>,
    /// Missing inputs since the last success, by job and stage, including reports of locations already
    /// dropped.
    misses: BTreeMap<(JobId, StageId), u32>,
    /// The outputs deleted in this step. A job deletes its outputs just before its end is reported, so they
    /// are checked after the step.
    forgotten: BTreeSet<ExchangeId>,
    cancelled: BTreeSet<JobId>,
    fatal: BTreeSet<JobId>,
    /// The number of statuses that must be ignored.
    pub(super) late: u64,
}

impl Judge {
    /// Records an event before the driver handles it.
    pub(super) fn hear(&mut self, event: &Event) -> Verdict {
        match event {
            Event::ExecutorJoined { executor, slots } => drop(self.living.insert(*executor, *slots)),
            Event::ExecutorLost { executor, .. } => self.lose(*executor),
            Event::Submit(spec) => {
                self.live.insert(spec.id);
                self.specs.insert(spec.id, spec.clone());
            }
            Event::Cancel { job, .. } => drop(self.cancelled.insert(*job)),
            Event::TaskFinished { executor, task, outcome } => match self.out.get(task) {
                Some((at, _)) if at == executor => return self.ended(*executor, *task, outcome),
                _ => self.late += 1,
            },
            Event::Heartbeat { .. } | Event::Release { .. } | Event::Tick => {}
        }
        Ok(())
    }

    fn ended(&mut self, executor: ExecutorId, task: TaskId, outcome: &Result<TaskReport, Error>) -> Verdict {
        let (_, inputs) = self.out.remove(&task).unwrap();
        let key = (task.job, task.stage, task.partition);
        let error = match outcome {
            Ok(_) => {
                self.misses.remove(&(task.job, task.stage));
                let located = Located { partition: task.partition, attempt: task.attempt, executor };
                let place = (self.stage(task).output, task.partition);
                return object_if(self.winners.insert(place, located).is_some(), || {
                    format!("{task} won late")
                });
            }
            Err(error) => error,
        };
        if let Some(lost) = error.lost() {
            *self.misses.entry((task.job, task.stage)).or_default() += 1;
            let told = inputs.iter().filter(|input| input.exchange.0 == lost.exchange);
            let told = told.flat_map(|input| input.sources.iter().map(|source| (input.exchange, *source)));
            for (exchange, source) in told.filter(|(_, source)| source.executor.0 == lost.executor) {
                self.winners.retain(|place, winner| (place.0, *winner) != (exchange, source));
            }
        } else if error.is_retryable() {
            *self.failures.entry(key).or_default() += 1;
        } else {
            self.fatal.insert(task.job);
        }
        Ok(())
    }

    fn lose(&mut self, executor: ExecutorId) {
        if self.living.remove(&executor).is_none() {
            return;
        }
        let durable = self.specs.values().flat_map(|spec| &spec.stages).filter(|stage| stage.durable);
        let durable: BTreeSet<ExchangeId> = durable.map(|stage| stage.output).collect();
        self.winners.retain(|(exchange, _), at| at.executor != executor || durable.contains(exchange));
        for (task, _) in self.out.extract_if(.., |_, (at, _)| *at == executor) {
            *self.losses.entry((task.job, task.stage, task.partition)).or_default() += 1;
        }
    }

    /// Checks one action of the driver.
    pub(super) fn see(&mut self, action: &Action) -> Verdict {
        match action {
            Action::Launch { executor, task, inputs } => self.launch(*executor, *task, inputs),
            Action::Abort { executor, task } => {
                let at = self.out.remove(task).map(|(at, _)| at);
                object_if(at != Some(*executor), || format!("{task} is aborted on {executor}, not {at:?}"))
            }
            Action::Forget { executor, exchange } => self.forget(*executor, *exchange),
            Action::GiveUp { executor, .. } => {
                self.lose(*executor);
                Ok(())
            }
            Action::JobDone { job, reports, outputs, .. } => self.job_done(*job, reports, outputs),
            Action::JobFailed { job, error, .. } => self.job_failed(*job, error),
            Action::Progress { done, total, .. } => object_if(done > total, || format!("{done} of {total}")),
            Action::Counted { .. } | Action::Notice { .. } => Ok(()),
        }
    }

    fn launch(&mut self, executor: ExecutorId, task: TaskId, inputs: &[TaskInput]) -> Verdict {
        object_if(!self.live.contains(&task.job), || format!("{task} starts for no live job"))?;
        let used = self.out.values().filter(|(at, _)| *at == executor).count();
        let slots = self.living.get(&executor).copied().unwrap_or(0) as usize;
        object_if(used >= slots, || {
            format!("{task} starts on {executor}, {used} of {slots} slots are used")
        })?;
        let stage = self.stage(task).clone();
        let new = self.attempts.insert((stage.output, task.partition, task.attempt));
        object_if(!new, || format!("{task}: this attempt at {} was used before", stage.output))?;
        let won = self.winners.get(&(stage.output, task.partition));
        object_if(won.is_some(), || format!("{task} starts but {won:?} has won"))?;
        let exchanges: Vec<ExchangeId> = inputs.iter().map(|input| input.exchange).collect();
        object_if(exchanges != stage.inputs, || {
            format!("{task} reads {exchanges:?}, not {:?}", stage.inputs)
        })?;
        for input in inputs {
            self.check_winners(input.exchange, &input.sources)
                .map_err(|text| format!("{task} reads {text}"))?;
        }
        self.out.insert(task, (executor, inputs.to_vec()));
        Ok(())
    }

    /// Checks that `located` lists exactly the first success of each partition that still exists.
    fn check_winners(&self, exchange: ExchangeId, located: &[Located]) -> Verdict {
        let makers = self.specs.values().flat_map(|spec| &spec.stages);
        let count = makers.filter(|stage| stage.output == exchange).map(|stage| stage.partitions).max();
        let winner = |partition| self.winners.get(&(exchange, Partition(partition))).copied();
        let winners: Vec<Option<Located>> = (0..count.unwrap_or(0)).map(winner).collect();
        let same = winners.iter().copied().eq(located.iter().copied().map(Some));
        object_if(!same, || format!("{exchange} from {located:?}, but the winners are {winners:?}"))
    }

    fn forget(&mut self, executor: ExecutorId, exchange: ExchangeId) -> Verdict {
        object_if(!self.living.contains_key(&executor), || format!("{executor} is gone and told to forget"))?;
        self.forgotten.insert(exchange);
        self.winners.retain(|(known, _), at| *known != exchange || at.executor != executor);
        Ok(())
    }

    fn job_done(&mut self, job: JobId, reports: &[TaskReport], outputs: &[Located]) -> Verdict {
        let result = self.specs[&job].stages.last().unwrap().output;
        self.check_winners(result, outputs).map_err(|text| format!("{job} ends with {text}"))?;
        self.job_ended(job)?;
        let said = reports.iter().map(|report| report.rows);
        let expected = outputs.iter().map(|at| report_of(at.partition, at.attempt).rows);
        object_if(!said.eq(expected), || format!("{job} ends with reports of others: {reports:?}"))
    }

    fn job_failed(&mut self, job: JobId, error: &Error) -> Verdict {
        self.job_ended(job)?;
        let worst = |counts: &BTreeMap<(JobId, StageId, Partition), u32>| {
            counts.iter().filter(|(key, _)| key.0 == job).map(|(_, count)| *count).max().unwrap_or(0)
        };
        let is_true = match error.class() {
            Class::Data => self.fatal.contains(&job),
            Class::Cancelled => self.cancelled.contains(&job),
            Class::Resource => worst(&self.losses) >= 3,
            Class::Transient if error.lost().is_some() => {
                self.misses.iter().any(|(key, count)| key.0 == job && *count > 4)
            }
            Class::Transient if error.message().starts_with("no executor") => self.living.is_empty(),
            Class::Transient => worst(&self.failures) >= 4,
            _ => false,
        };
        object_if(!is_true, || format!("{job} failed without cause: {error}"))
    }

    fn job_ended(&mut self, job: JobId) -> Verdict {
        object_if(!self.live.remove(&job), || format!("{job} ends but does not live"))?;
        object_if(self.out.keys().any(|task| task.job == job), || format!("{job} ends with tasks out"))?;
        // Durable output is removed without an action: executors have nothing to delete.
        let used = |exchange| self.stages_of(&self.live).any(|stage| stage.output == exchange);
        let ended = self.specs[&job].stages.iter().filter(|stage| stage.durable && !stage.keep);
        let gone: BTreeSet<_> = ended.map(|stage| stage.output).filter(|exchange| !used(*exchange)).collect();
        self.winners.retain(|place, _| !gone.contains(&place.0));
        Ok(())
    }

    fn stages_of<'a>(&'a self, jobs: &'a BTreeSet<JobId>) -> impl Iterator<Item = &'a StageSpec> {
        jobs.iter().flat_map(|job| &self.specs[job].stages)
    }

    /// Checks what must be true between two steps.
    pub(super) fn after_step(&mut self) -> Verdict {
        let forgotten = std::mem::take(&mut self.forgotten);
        let used = self.stages_of(&self.live).find(|stage| forgotten.contains(&stage.output));
        object_if(used.is_some(), || format!("forgotten but still in use: {used:?}"))?;
        let over = |counts: &BTreeMap<(JobId, StageId, Partition), u32>, limit| {
            counts
                .iter()
                .find(|(key, count)| self.live.contains(&key.0) && **count >= limit)
                .map(|(key, _)| *key)
        };
        let over = over(&self.failures, 4).or(over(&self.losses, 3));
        object_if(over.is_some(), || format!("a limit is reached and the job goes on: {over:?}"))
    }

    fn stage(&self, task: TaskId) -> &StageSpec {
        self.specs[&task.job].stages.iter().find(|stage| stage.id == task.stage).unwrap()
    }
}

/// A report that identifies the attempt it comes from.
pub(super) fn report_of(partition: Partition, attempt: Attempt) -> TaskReport {
    TaskReport { rows: u64::from(partition.0) * 1000 + u64::from(attempt.0), ..TaskReport::default() }
}

pub(super) fn object_if(wrong: bool, text: impl FnOnce() -> String) -> Verdict {
    if wrong { Err(text()) } else { Ok(()) }
}
