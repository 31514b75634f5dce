//! Commits in progress, which a cancellation lets finish.
//!
//! Sinks begin and end commits. The thread that ends a cancelled process checks for commits in progress
//! and prevents new ones before it exits. Both use one lock, so a commit either begins earlier and is
//! waited for, or it does not begin. Commits themselves are implemented in `publish`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Instant;

use crate::error::{Error, Result};

use super::cancel::Cancel;
use super::lock;

/// The commits of one run.
#[derive(Default)]
pub(super) struct Commits {
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Default)]
struct State {
    active: u32,
    /// Number of active commits that may or may not have published.
    undecided: u32,
    is_closed: bool,
    is_unresolved: bool,
    last_end: Option<Instant>,
}

/// A commit in progress, which ends when this is dropped.
#[must_use = "a commit is protected from a cancel only while its guard lives"]
pub struct CommitGuard {
    commits: Arc<Commits>,
    is_decided: AtomicBool,
}

impl Commits {
    pub(super) fn begin(self: &Arc<Self>, cancel: &Cancel) -> Result<CommitGuard> {
        let mut state = lock(&self.state);
        if state.is_closed || cancel.is_requested() {
            return Err(Error::job_stopped());
        }
        state.active += 1;
        state.undecided += 1;
        Ok(CommitGuard { commits: Arc::clone(self), is_decided: AtomicBool::new(false) })
    }

    /// Whether a commit is in progress.
    pub(super) fn are_active(&self) -> bool {
        lock(&self.state).active > 0
    }

    /// Waits until no commit is in progress, but not after `limit`, and returns the time at which the
    /// last one ended.
    pub(super) fn wait(&self, limit: Instant) -> Option<Instant> {
        let mut state = lock(&self.state);
        while state.active > 0 {
            let left = limit.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            state = self.ended.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.last_end
    }

    /// Prevents further commits and returns whether one is in progress. If that commit is undecided,
    /// its outcome will never be known.
    pub(super) fn close(&self) -> bool {
        let mut state = lock(&self.state);
        state.is_closed = true;
        state.is_unresolved |= state.undecided > 0;
        state.active > 0
    }

    /// Whether the outcome of a commit is unknown.
    pub(super) fn is_unresolved(&self) -> bool {
        lock(&self.state).is_unresolved
    }
}

impl CommitGuard {
    /// Ends a commit whose outcome is unknown.
    pub fn unresolved(self) {
        lock(&self.commits.state).is_unresolved = true;
    }

    /// Records that the output is published and reported. The remaining work can be finished by the
    /// next attempt.
    pub fn decided(&self) {
        if !self.is_decided.swap(true, Ordering::SeqCst) {
            lock(&self.commits.state).undecided -= 1;
        }
    }
}

impl Drop for CommitGuard {
    fn drop(&mut self) {
        self.decided();
        let mut state = lock(&self.commits.state);
        state.active -= 1;
        state.last_end = Some(Instant::now());
        self.commits.ended.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::cancel::CancelReason;
    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(20)
    }

    #[test]
    fn a_commit_that_has_begun_is_waited_for() {
        let (commits, cancel) = (Arc::<Commits>::default(), Cancel::default());
        let guard = commits.begin(&cancel).unwrap();
        let waiting = Arc::clone(&commits);
        let waited = std::thread::spawn(move || waiting.wait(Instant::now() + Duration::from_secs(30)));
        drop(guard);
        assert!(waited.join().is_ok_and(|end| end.is_some()) && !commits.are_active());
        assert!(!commits.close() && !commits.is_unresolved());
    }

    #[test]
    fn a_commit_that_is_left_is_unresolved() {
        let (commits, cancel) = (Arc::<Commits>::default(), Cancel::default());
        let guard = commits.begin(&cancel).unwrap();
        assert!(commits.wait(soon()).is_none() && commits.close() && commits.is_unresolved());
        drop(guard);
        assert!(commits.is_unresolved());
    }

    #[test]
    fn no_commit_begins_after_a_cancel_or_after_the_end() {
        let (commits, cancel) = (Arc::<Commits>::default(), Cancel::default());
        commits.close();
        assert!(commits.begin(&cancel).is_err());
        let (commits, cancel) = (Arc::<Commits>::default(), Cancel::default());
        cancel.request(CancelReason::Deadline);
        assert!(commits.begin(&cancel).is_err());
    }
}
