//! The latest stage plans, of which a driver and each of its executors keep the same ones.
//!
//! Both put in the same plans in the same order, so both drop the same one when there are too many.
//! That is why nothing needs to be said on the wire when a plan is dropped, and why looking one up
//! must not change the order.

use std::collections::VecDeque;

use kiln_planner::StageId;

use crate::driver::{JobId, TaskId};

/// Plans that an executor keeps.
pub(super) const KEPT_PLANS: usize = 256;

/// Which plan: a stage of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PlanId {
    pub(super) job: JobId,
    pub(super) stage: StageId,
}

impl PlanId {
    /// The plan that `task` runs.
    pub(super) fn of(task: TaskId) -> PlanId {
        PlanId { job: task.job, stage: task.stage }
    }
}

/// The latest [`KEPT_PLANS`] plans, or what is known about them.
pub(super) struct Plans<T>(VecDeque<(PlanId, T)>);

impl<T> Default for Plans<T> {
    fn default() -> Plans<T> {
        Plans(VecDeque::new())
    }
}

impl<T> Plans<T> {
    /// Adds a plan and drops the oldest if there are too many.
    pub(super) fn add(&mut self, id: PlanId, plan: T) {
        if self.0.len() == KEPT_PLANS {
            self.0.pop_front();
        }
        self.0.push_back((id, plan));
    }

    /// The plan, if it is kept. The latest are looked at first, as tasks run what has just come.
    pub(super) fn find(&self, id: PlanId) -> Option<&T> {
        self.0.iter().rev().find(|(known, _)| *known == id).map(|(_, plan)| plan)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_plan_goes_first_however_often_it_is_used() {
        let id = |n: usize| PlanId { job: JobId(n as u64), stage: StageId(1) };
        let mut plans = Plans::default();
        for n in 0..=KEPT_PLANS {
            plans.add(id(n), n);
            plans.find(id(0));
        }
        assert_eq!((plans.find(id(0)), plans.find(id(1))), (None, Some(&1)));
    }
}
