//! Safety rules of the driver that the simulation disables one at a time, to prove that it would detect their
//! absence.
//!
//! A simulation that always passes proves nothing unless it fails when the driver is wrong. Outside tests
//! every rule is always active, and the check compiles to nothing.

use super::Driver;

/// A rule that a test can disable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guard {
    /// A status counts only if its task is running.
    StatusOfRunningTask,
    /// The output on a lost executor is dropped.
    OutputDiesWithExecutor,
    /// An attempt number is never reused.
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

    /// A driver without one of the rules.
    #[cfg(test)]
    pub(super) fn without(mut self, guard: Guard) -> Driver {
        self.broken = Some(guard);
        self
    }
}
