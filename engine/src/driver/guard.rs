//! The protections that the simulation takes away one at a time, to prove that it would notice.
//!
//! A simulation that stays green proves nothing unless it goes red when the driver is wrong. In a
//! build that is not a test every guard holds and the question costs nothing.

use super::Driver;

/// A protection that can be missing in a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guard {
    /// Only the status of a task that is out counts.
    StatusOfRunningTask,
    /// Output that lay on a lost executor is forgotten.
    OutputDiesWithExecutor,
    /// An attempt number is used once.
    FreshAttempt,
}

impl Driver {
    #[cfg(not(test))]
    #[inline(always)]
    pub(super) fn has(&self, _: Guard) -> bool {
        true
    }

    #[cfg(test)]
    pub(super) fn has(&self, guard: Guard) -> bool {
        self.broken != Some(guard)
    }

    /// A driver that lacks one protection.
    #[cfg(test)]
    pub(super) fn without(mut self, guard: Guard) -> Driver {
        self.broken = Some(guard);
        self
    }
}
