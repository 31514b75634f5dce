//! Mock executors: they run tasks that compute nothing, store outputs, and fail.
//!
//! A crashed executor loses everything that it stored; the driver learns of the crash later or not at all.
//! The driver's actions reach the executors through `world`.

use std::collections::{BTreeMap, BTreeSet};

use super::super::*;
use super::judge::report_of;
use super::weather::Weather;
use super::world::{Fate, World};
use crate::error::LostOutput;

/// A mock executor that has not crashed.
#[derive(Default)]
pub(super) struct Fake {
    pub(super) is_mute: bool,
    pub(super) running: BTreeMap<TaskId, Vec<TaskInput>>,
    pub(super) store: BTreeSet<(ExchangeId, Partition, Attempt)>,
}

impl World {
    pub(super) fn abort(&mut self, executor: ExecutorId, task: TaskId) {
        let output = self.output_of(task);
        let Some(fake) = self.executors.get_mut(&executor) else { return };
        fake.running.remove(&task);
        fake.store.remove(&(output, task.partition, task.attempt));
        if self.chance.permille(250) {
            // The status was already on its way when the abort was sent.
            self.report(executor, task, Ok(report_of(task.partition, task.attempt)));
        }
    }

    pub(super) fn task_ends(&mut self, executor: ExecutorId, task: TaskId) {
        let Some(fake) = self.executors.get_mut(&executor) else { return };
        let Some(inputs) = fake.running.remove(&task) else { return };
        let output = self.output_of(task);
        let Weather { transient, fatal, crash, mute, rot, .. } = self.weather;
        if self.chance.permille(crash) {
            return self.crash(executor);
        }
        if self.chance.permille(mute) {
            self.executors.entry(executor).or_default().is_mute = true;
        }
        if self.chance.permille(rot) {
            self.rot();
        }
        let outcome = if self.chance.permille(transient) {
            Err(Error::transient("timed out"))
        } else if self.chance.permille(fatal) {
            Err(Error::data("invalid row"))
        } else {
            self.read(&inputs).map(|()| report_of(task.partition, task.attempt))
        };
        if outcome.is_ok() && !self.is_durable(output) {
            let fake = self.executors.entry(executor).or_default();
            fake.store.insert((output, task.partition, task.attempt));
        }
        self.report(executor, task, outcome);
    }

    /// Fetches the inputs of a task, which fails at the first missing one.
    fn read(&mut self, inputs: &[TaskInput]) -> Result<(), Error> {
        for input in inputs.iter().filter(|input| !self.is_durable(input.exchange)) {
            for source in input.sources.iter() {
                let holder = self.executors.get(&source.executor);
                let key = (input.exchange, source.partition, source.attempt);
                if !holder.is_some_and(|fake| fake.store.contains(&key)) {
                    self.sum.misses += 1;
                    let lost = LostOutput { exchange: input.exchange.0, executor: source.executor.0 };
                    return Err(Error::lost_output("connection reset", lost));
                }
            }
        }
        Ok(())
    }

    /// Sends a status: late, perhaps twice, and after a long delay if the executor is mute.
    fn report(&mut self, executor: ExecutorId, task: TaskId, outcome: Result<TaskReport, Error>) {
        let is_mute = self.executors.get(&executor).is_some_and(|fake| fake.is_mute);
        let least = if is_mute { 8000 } else { 0 };
        let copies = 1 + u64::from(self.chance.permille(self.weather.twice));
        self.sum.duplicates += copies - 1;
        for _ in 0..copies {
            let delay = least + self.chance.between(0, self.weather.delay_ms);
            let outcome = outcome.clone();
            self.later(delay, Fate::Tell(Event::TaskFinished { executor, task, outcome }));
        }
    }

    /// Crashes an executor. The driver is informed soon, or has to detect it by the missing heartbeats.
    fn crash(&mut self, executor: ExecutorId) {
        self.executors.remove(&executor);
        self.sum.losses += 1;
        if self.chance.permille(750) {
            let (heard, back) = (self.chance.between(0, 2000), self.chance.between(100, 4000));
            self.later(heard, Fate::Tell(Event::ExecutorLost { executor, reason: "killed".to_owned() }));
            self.later(back, Fate::Join);
        }
    }

    /// Makes a random executor lose everything that it stores of one exchange.
    fn rot(&mut self) {
        let held = self.executors.iter().flat_map(|(id, fake)| fake.store.iter().map(|key| (*id, key.0)));
        let held: Vec<_> = held.collect();
        if held.is_empty() {
            return;
        }
        let (executor, exchange) = held[self.chance.between(0, held.len() as u64 - 1) as usize];
        self.executors.entry(executor).or_default().store.retain(|key| key.0 != exchange);
    }

    fn output_of(&self, task: TaskId) -> ExchangeId {
        let stages = &self.judge.specs[&task.job].stages;
        stages.iter().find(|stage| stage.id == task.stage).unwrap().output
    }

    fn is_durable(&self, exchange: ExchangeId) -> bool {
        let mut stages = self.judge.specs.values().flat_map(|spec| &spec.stages);
        stages.any(|stage| stage.output == exchange && stage.durable)
    }
}
