//! The living executors: their slots, and when the driver last received a message from each.
//!
//! An executor stores the set of tasks that it runs instead of a counter of used slots, so that no slot can
//! be freed twice. What the tasks compute does not matter here.

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

/// The result of an executor's request to join.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Joined {
    /// The executor is new and joins.
    Welcome,
    /// The executor has already joined; the message was a duplicate.
    Again,
    /// The executor was removed as lost. Its outputs count as lost, so it must not come back under the same
    /// id.
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

    /// Records that a message from `id` arrived.
    pub(super) fn heard(&mut self, id: ExecutorId, now: Duration) {
        if let Some(executor) = self.living.get_mut(&id) {
            executor.last_heard = now;
        }
    }

    /// The executors that sent no message for longer than `limit`.
    pub(super) fn silent(&self, now: Duration, limit: Duration) -> Vec<ExecutorId> {
        let is_silent = |executor: &Executor| now.saturating_sub(executor.last_heard) > limit;
        self.living.iter().filter(|(_, executor)| is_silent(executor)).map(|(id, _)| *id).collect()
    }

    /// Removes a lost executor and returns it; `None` if it is not living.
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

    /// Whether any executor has slots, free or not.
    pub(super) fn have_slots(&self) -> bool {
        self.living.values().any(|executor| executor.slots > 0)
    }

    /// The executor with the most free slots, the lowest id among equals; `None` if all slots are taken.
    pub(super) fn freest(&self) -> Option<ExecutorId> {
        let free = self.living.iter().filter(|(_, executor)| executor.free() > 0);
        // `max_by_key` returns the last of equal elements, so the iteration starts at the highest id.
        free.rev().max_by_key(|(_, executor)| executor.free()).map(|(id, _)| *id)
    }

    /// Assigns a slot of `id` to `task`.
    pub(super) fn occupy(&mut self, id: ExecutorId, task: TaskId) {
        if let Some(executor) = self.living.get_mut(&id) {
            executor.running.insert(task);
        }
    }

    /// Frees the slot of `task`.
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
