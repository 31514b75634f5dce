//! Consistency checks of the driver's state.
//!
//! The same fact is recorded in several places (a running task, its slot, its `Cell`, the set of waiting
//! partitions) so that each lookup is cheap. The driver's tests run these checks after every step, debug
//! builds after some of the steps, and release builds never.

use std::collections::BTreeSet;

use super::ids::{ExchangeId, Partition, TaskId};
use super::output::{Cell, Output};
use super::{Driver, Running};
use crate::error::{Error, Result};

impl Driver {
    /// Checks that every used slot belongs to a running task and that every partition is in exactly one
    /// state.
    ///
    /// # Errors
    /// `Bug` with the first inconsistency. The check visits the whole state, so it is meant for tests and
    /// debug builds.
    pub fn check_books(&self) -> Result<()> {
        for (id, executor) in self.executors.iter() {
            let ours = self.running.iter().filter(|(_, running)| running.executor == id);
            let ours: BTreeSet<TaskId> = ours.map(|(task, _)| *task).collect();
            ensure(ours == executor.running, || format!("{id}: used slots are not its running tasks"))?;
            let within = ours.len() <= executor.slots as usize;
            ensure(within, || format!("{id}: {} tasks on {} slots", ours.len(), executor.slots))?;
        }
        for (task, running) in &self.running {
            self.check_task(*task, running)?;
        }
        for job in self.jobs.values() {
            ensure(job.is_up_to_date(&self.outputs), || format!("{} has overlooked an output", job.id))?;
        }
        self.outputs.iter().try_for_each(|(exchange, output)| self.check_output(exchange, output))
    }

    fn check_task(&self, task: TaskId, running: &Running) -> Result<()> {
        ensure(self.jobs.contains_key(&task.job), || format!("{task} runs for a job that has ended"))?;
        ensure(self.executors.is_living(running.executor), || format!("{task} runs on a lost executor"))?;
        let cells = self.outputs.find(running.output).map(Output::cells).unwrap_or_default();
        let cell = cells.get(task.partition.0 as usize);
        let known = matches!(cell, Some(Cell::Running(id)) if *id == task);
        ensure(known, || format!("{task} runs but its partition is {cell:?}"))
    }

    fn check_output(&self, exchange: ExchangeId, output: &Output) -> Result<()> {
        let mut done = 0;
        for (index, cell) in (0..).zip(output.cells()) {
            let partition = Partition(index);
            let waits = output.waiting().contains(&partition);
            let sound = match cell {
                Cell::Waiting => waits,
                Cell::Running(task) => {
                    !waits && task.partition == partition && self.running.contains_key(task)
                }
                Cell::Done(located, _) => {
                    done += 1;
                    let reachable = output.durable || self.executors.is_living(located.executor);
                    !waits && located.partition == partition && reachable
                }
            };
            ensure(sound, || format!("{exchange} {partition} is {cell:?}, waiting: {waits}"))?;
        }
        ensure(done == output.done(), || format!("{exchange}: {done} done, not {}", output.done()))?;
        let needed = output.keep || output.holds > 0 || self.jobs.values().any(|job| job.uses(exchange));
        ensure(needed, || format!("{exchange} is needed by nobody"))
    }
}

fn ensure(holds: bool, or_else: impl FnOnce() -> String) -> Result<()> {
    if holds { Ok(()) } else { Err(Error::bug(or_else())) }
}
