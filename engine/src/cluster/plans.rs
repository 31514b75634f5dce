//! The most recent stage plans, a cache that the driver and each of its executors keep in step.
//!
//! Both add the same plans in the same order, so both drop the same plan when there are too many. No message
//! about a dropped plan is needed, and a lookup must not change the order.

use std::collections::VecDeque;

use kiln_planner::StageId;

use crate::driver::{JobId, TaskId};

/// The most plans that are kept.
const KEPT_PLANS: usize = 256;
/// The most bytes of encoded plans that are kept; the latest plan is kept even if it is larger. A plan
/// includes the shared values of its closures.
const KEPT_BYTES: usize = 256 << 20;

/// Identifies a plan: a stage of a job.
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

/// The most recent plans, or what is known about them.
pub(super) struct Plans<T> {
    kept: VecDeque<Kept<T>>,
    /// The encoded bytes of all of them.
    bytes: usize,
}

struct Kept<T> {
    id: PlanId,
    bytes: usize,
    plan: T,
}

impl<T> Default for Plans<T> {
    fn default() -> Plans<T> {
        Plans { kept: VecDeque::new(), bytes: 0 }
    }
}

impl<T> Plans<T> {
    /// Adds a plan of `bytes` encoded bytes and drops the oldest ones beyond the limits.
    pub(super) fn add(&mut self, id: PlanId, bytes: usize, plan: T) {
        self.kept.push_back(Kept { id, bytes, plan });
        self.bytes += bytes;
        while self.kept.len() > KEPT_PLANS || (self.bytes > KEPT_BYTES && self.kept.len() > 1) {
            self.bytes -= self.kept.pop_front().map_or(0, |oldest| oldest.bytes);
        }
    }

    /// Returns the plan if it is kept. The search starts at the latest plan, because tasks usually run the
    /// plan that was just sent.
    pub(super) fn find(&self, id: PlanId) -> Option<&T> {
        self.kept.iter().rev().find(|kept| kept.id == id).map(|kept| &kept.plan)
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
            plans.add(id(n), 1, n);
            plans.find(id(0));
        }
        assert_eq!((plans.find(id(0)), plans.find(id(1))), (None, Some(&1)));
    }

    #[test]
    fn large_plans_drop_older_ones_but_never_themselves() {
        let id = |n: u64| PlanId { job: JobId(n), stage: StageId(1) };
        let mut plans = Plans::default();
        plans.add(id(1), 1, 1);
        plans.add(id(2), KEPT_BYTES + 1, 2);
        assert_eq!((plans.find(id(1)), plans.find(id(2))), (None, Some(&2)));
        plans.add(id(3), 1, 3);
        assert_eq!((plans.find(id(2)), plans.find(id(3))), (None, Some(&3)));
    }
}
