//! Who can run tasks: the living executors, their slots, and when each was last heard.
//!
//! The used slots of an executor are the set of tasks it runs and not a counter, so a slot cannot be
//! given back twice. What the tasks are for is not known here.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::ids::{ExecutorId, TaskId};

/// One living executor.
#[derive(Debug)]
pub(super) struct Executor {
    pub(super) slots: u32,
    pub(super) running: BTreeSet<TaskId>,
    last_heard: Duration,
}

impl Executor {
    fn free(&self) -> usize {
        (self.slots as usize).saturating_sub(self.running.len())
    }
}

/// The answer to an executor that wants to join.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Joined {
    /// It is new and takes part.
    Welcome,
    /// It takes part already; the message came twice.
    Again,
    /// It was given up: what it held has been written off, and it must not come back under that id.
    TooLate,
}

/// The living executors and the ids of the dead.
#[derive(Debug, Default)]
pub(super) struct Executors {
    living: BTreeMap<ExecutorId, Executor>,
    dead: BTreeSet<ExecutorId>,
}

impl Executors {
    pub(super) fn join(&mut self, id: ExecutorId, slots: u32, now: Duration) -> Joined {
        if self.dead.contains(&id) {
            return Joined::TooLate;
        }
        if self.living.contains_key(&id) {
            self.heard(id, now);
            return Joined::Again;
        }
        self.living.insert(id, Executor { slots, running: BTreeSet::new(), last_heard: now });
        Joined::Welcome
    }

    /// A message from `id` came in.
    pub(super) fn heard(&mut self, id: ExecutorId, now: Duration) {
        if let Some(executor) = self.living.get_mut(&id) {
            executor.last_heard = now;
        }
    }

    /// Those that said nothing for longer than `limit`.
    pub(super) fn silent(&self, now: Duration, limit: Duration) -> Vec<ExecutorId> {
        let is_silent = |executor: &Executor| now.saturating_sub(executor.last_heard) > limit;
        self.living.iter().filter(|(_, executor)| is_silent(executor)).map(|(id, _)| *id).collect()
    }

    /// Takes a lost one out; `None` if it does not live.
    pub(super) fn bury(&mut self, id: ExecutorId) -> Option<Executor> {
        let executor = self.living.remove(&id)?;
        self.dead.insert(id);
        Some(executor)
    }

    pub(super) fn is_living(&self, id: ExecutorId) -> bool {
        self.living.contains_key(&id)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (ExecutorId, &Executor)> {
        self.living.iter().map(|(id, executor)| (*id, executor))
    }

    /// Whether there is any slot, free or not.
    pub(super) fn have_slots(&self) -> bool {
        self.living.values().any(|executor| executor.slots > 0)
    }

    /// The one with the most free slots, the lowest id first; `None` if all slots are taken.
    pub(super) fn freest(&self) -> Option<ExecutorId> {
        let free = self.living.iter().filter(|(_, executor)| executor.free() > 0);
        // `max_by_key` keeps the last of equals, so the walk goes from the highest id down.
        free.rev().max_by_key(|(_, executor)| executor.free()).map(|(id, _)| *id)
    }

    /// Takes a slot of `id` for `task`.
    pub(super) fn occupy(&mut self, id: ExecutorId, task: TaskId) {
        if let Some(executor) = self.living.get_mut(&id) {
            executor.running.insert(task);
        }
    }

    /// Gives the slot of `task` back.
    pub(super) fn vacate(&mut self, id: ExecutorId, task: TaskId) {
        if let Some(executor) = self.living.get_mut(&id) {
            executor.running.remove(&task);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::ids::{Attempt, JobId, Partition, StageId};
    use super::*;

    #[test]
    fn the_freest_executor_is_the_lowest_of_equals() {
        let mut executors = Executors::default();
        for (id, slots) in [(3, 2), (1, 2), (2, 1)] {
            executors.join(ExecutorId(id), slots, Duration::ZERO);
        }
        assert_eq!(executors.freest(), Some(ExecutorId(1)));
        executors.occupy(ExecutorId(1), task());
        assert_eq!(executors.freest(), Some(ExecutorId(3)));
    }

    #[test]
    fn a_slot_given_back_twice_is_given_back_once() {
        let mut executors = Executors::default();
        executors.join(ExecutorId(1), 1, Duration::ZERO);
        executors.occupy(ExecutorId(1), task());
        assert_eq!(executors.freest(), None);
        executors.vacate(ExecutorId(1), task());
        executors.vacate(ExecutorId(1), task());
        assert_eq!(executors.living[&ExecutorId(1)].free(), 1);
    }

    #[test]
    fn a_dead_executor_cannot_join_under_its_old_id() {
        let mut executors = Executors::default();
        assert_eq!(executors.join(ExecutorId(1), 1, Duration::ZERO), Joined::Welcome);
        assert_eq!(executors.join(ExecutorId(1), 1, Duration::ZERO), Joined::Again);
        executors.bury(ExecutorId(1));
        assert_eq!(executors.join(ExecutorId(1), 1, Duration::ZERO), Joined::TooLate);
    }

    fn task() -> TaskId {
        TaskId { job: JobId(1), stage: StageId(0), partition: Partition(0), attempt: Attempt(0) }
    }
}
