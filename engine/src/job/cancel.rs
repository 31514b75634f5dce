//! Cancellation of a run: the reason, and callbacks for those who wait.
//!
//! The first request wins and determines the exit code; later ones change nothing. Tasks poll
//! [`Cancel::is_requested`], which is one relaxed load. Code that blocks registers a callback instead.
//! Signals are handled in `signals`, and the report of a cancelled run is made in `exit`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::error::Class;

use super::callbacks::{CallbackGuard, Callbacks};

/// Why a run was cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelReason {
    /// SIGINT: the user pressed Ctrl-C.
    Interrupt,
    /// SIGTERM: from a scheduler or the shutdown of the machine.
    Terminate,
    /// SIGHUP: the terminal was closed.
    Hangup,
    /// The process that waited for the job has exited.
    Orphaned,
    /// The run has reached its time limit.
    Deadline,
}

impl CancelReason {
    const ALL: [CancelReason; 5] = [
        CancelReason::Interrupt,
        CancelReason::Terminate,
        CancelReason::Hangup,
        CancelReason::Orphaned,
        CancelReason::Deadline,
    ];

    /// The exit code: the one that a shell reports for the signal, or that of `timeout`.
    pub fn exit_code(self) -> u8 {
        match self {
            CancelReason::Interrupt => 130,
            CancelReason::Hangup => 129,
            CancelReason::Terminate | CancelReason::Orphaned => 143,
            CancelReason::Deadline => 124,
        }
    }

    /// The error class of a run that is cancelled for this reason.
    pub fn class(self) -> Class {
        if self == CancelReason::Deadline { Class::Deadline } else { Class::Cancelled }
    }

    /// The reason in the result.
    pub fn word(self) -> &'static str {
        match self {
            CancelReason::Interrupt => "sigint",
            CancelReason::Terminate => "sigterm",
            CancelReason::Hangup => "sighup",
            CancelReason::Orphaned => "parent_ended",
            CancelReason::Deadline => "timeout",
        }
    }

    /// The reason in messages.
    pub fn text(self) -> &'static str {
        match self {
            CancelReason::Interrupt => "cancelled by SIGINT",
            CancelReason::Terminate => "cancelled by SIGTERM",
            CancelReason::Hangup => "cancelled by SIGHUP",
            CancelReason::Orphaned => "cancelled as the parent process has ended",
            CancelReason::Deadline => "the time limit has passed",
        }
    }
}

/// The cancellation state of a run, shared by all clones.
#[derive(Clone, Default)]
pub struct Cancel {
    /// 0, or the index of the reason in `ALL` plus one.
    state: Arc<AtomicU8>,
    callbacks: Callbacks,
}

const NOT_REQUESTED: u8 = 0;

impl Cancel {
    /// Cancels the run and runs the callbacks on this thread. Only the first request has an effect.
    pub fn request(&self, reason: CancelReason) {
        let asked = 1 + CancelReason::ALL.iter().take_while(|known| **known != reason).count() as u8;
        let first = self.state.compare_exchange(NOT_REQUESTED, asked, Ordering::SeqCst, Ordering::SeqCst);
        if first.is_ok() {
            self.callbacks.fire();
        }
    }

    /// Whether the run was cancelled. Cheap enough to call for each batch.
    pub fn is_requested(&self) -> bool {
        self.state.load(Ordering::Relaxed) != NOT_REQUESTED
    }

    /// The reason of the first request, if there was one.
    pub fn reason(&self) -> Option<CancelReason> {
        let position = self.state.load(Ordering::SeqCst).checked_sub(1)?;
        CancelReason::ALL.get(usize::from(position)).copied()
    }

    /// Runs `callback` once when the run is cancelled, or now if it has been.
    ///
    /// The callback runs on the signal thread and must not wait for the job. It stays registered for
    /// the rest of the run; for a single action use [`Cancel::on_request_while`].
    pub fn on_request(&self, callback: Box<dyn Fn() + Send + Sync>) {
        self.on_request_while(callback).keep();
    }

    /// As [`Cancel::on_request`], but only until the guard is dropped.
    #[must_use = "dropping the guard takes the callback off the list again"]
    pub fn on_request_while(&self, callback: Box<dyn Fn() + Send + Sync>) -> CallbackGuard {
        self.callbacks.register(Box::new(callback))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::*;

    fn count_requests(cancel: &Cancel) -> Arc<AtomicU32> {
        let count = Arc::new(AtomicU32::new(0));
        let inside = Arc::clone(&count);
        cancel.on_request(Box::new(move || {
            inside.fetch_add(1, Ordering::SeqCst);
        }));
        count
    }

    #[test]
    fn only_the_first_request_counts() {
        let cancel = Cancel::default();
        let count = count_requests(&cancel);
        assert_eq!((cancel.is_requested(), cancel.reason()), (false, None));
        cancel.request(CancelReason::Interrupt);
        cancel.request(CancelReason::Terminate);
        assert_eq!(cancel.reason(), Some(CancelReason::Interrupt));
        assert_eq!(count.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn every_reason_is_remembered() {
        for reason in CancelReason::ALL {
            let cancel = Cancel::default();
            cancel.request(reason);
            assert_eq!(cancel.reason(), Some(reason));
        }
    }

    #[test]
    fn a_callback_that_comes_after_the_request_runs_at_once() {
        let cancel = Cancel::default();
        cancel.request(CancelReason::Terminate);
        assert_eq!(count_requests(&cancel).load(Ordering::SeqCst), 1);
    }
}
