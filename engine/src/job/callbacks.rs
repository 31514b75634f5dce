//! A list of things to do when one moment comes: a cancel, or the end of the job.
//!
//! Closures enter and leave by their guard; [`Callbacks::fire`] runs those that are left, once, on
//! the thread that fires. What registers after that moment runs at once, so that a thread that is
//! late by a microsecond does not leave its temporary file or its child process behind. Which moment
//! it is belongs to `cancel` and to `signals`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use super::lock;

/// Something to do once, at a moment that may come on another thread.
pub type Callback = Box<dyn FnMut() + Send>;

/// Closures that wait for one moment of a run.
#[derive(Clone, Default)]
pub struct Callbacks(Arc<Mutex<Waiting>>);

/// What removes temporary files and ends child processes when the run ends, however it ends.
pub type Cleanup = Callbacks;

/// Keeps a cleanup registered; dropping it says that there is nothing left to clean up.
///
/// It does not clean up by itself: what owns a temporary file removes it when it is dropped, and the
/// registered closure is for the ends at which nothing is dropped.
pub type CleanupGuard = CallbackGuard;

#[derive(Default)]
struct Waiting {
    fired: bool,
    next_id: u64,
    entries: Vec<(u64, Callback)>,
}

impl Callbacks {
    /// Registers `callback` until the guard is dropped; runs it at once if the moment has passed.
    #[must_use = "dropping the guard takes the callback off the list again"]
    pub fn register(&self, mut callback: Callback) -> CallbackGuard {
        let mut waiting = lock(&self.0);
        let id = waiting.next_id;
        waiting.next_id += 1;
        if waiting.fired {
            drop(waiting);
            run(&mut callback);
        } else {
            waiting.entries.push((id, callback));
        }
        CallbackGuard { callbacks: self.clone(), id }
    }

    /// Runs all that is registered, the newest first, and from now on whatever registers.
    ///
    /// The newest goes first for the reason that locals are dropped so: later things lie in earlier ones.
    pub fn fire(&self) {
        let entries = {
            let mut waiting = lock(&self.0);
            waiting.fired = true;
            std::mem::take(&mut waiting.entries)
        };
        // Outside the lock, because a callback may register or drop a guard.
        for (_, mut callback) in entries.into_iter().rev() {
            run(&mut callback);
        }
    }
}

/// A callback that panics must not keep the others from running.
fn run(callback: &mut Callback) {
    if catch_unwind(AssertUnwindSafe(callback)).is_err() {
        log::warn!("a callback at the end of the job panicked");
    }
}

/// Keeps a callback registered for as long as it lives.
pub struct CallbackGuard {
    callbacks: Callbacks,
    id: u64,
}

impl CallbackGuard {
    /// Leaves the callback registered for the rest of the run.
    pub fn keep(self) {
        std::mem::forget(self);
    }
}

impl Drop for CallbackGuard {
    fn drop(&mut self) {
        let removed = {
            let mut waiting = lock(&self.callbacks.0);
            let found = waiting.entries.iter().position(|(id, _)| *id == self.id);
            found.map(|index| waiting.entries.remove(index))
        };
        // Outside the lock, because what the closure holds may itself hold a guard.
        drop(removed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};

    use super::*;

    fn send(word: &'static str, to: &Sender<&'static str>) -> Callback {
        let to = to.clone();
        Box::new(move || {
            let _ = to.send(word);
        })
    }

    #[test]
    fn callbacks_run_once_and_the_newest_first() {
        let (to, ran) = channel();
        let callbacks = Callbacks::default();
        let _guards = [callbacks.register(send("outer", &to)), callbacks.register(send("inner", &to))];
        callbacks.fire();
        callbacks.fire();
        assert_eq!(ran.try_iter().collect::<Vec<_>>(), ["inner", "outer"]);
    }

    #[test]
    fn dropping_the_guard_unregisters() {
        let (to, ran) = channel();
        let callbacks = Callbacks::default();
        drop(callbacks.register(send("gone", &to)));
        callbacks.register(send("kept", &to)).keep();
        callbacks.fire();
        assert_eq!(ran.try_iter().collect::<Vec<_>>(), ["kept"]);
    }

    #[test]
    fn what_registers_too_late_runs_at_once() {
        let (to, ran) = channel();
        let callbacks = Callbacks::default();
        callbacks.fire();
        let _guard = callbacks.register(send("late", &to));
        assert_eq!(ran.try_recv(), Ok("late"));
    }

    #[test]
    fn a_callback_that_panics_does_not_stop_the_others() {
        let (to, ran) = channel();
        let callbacks = Callbacks::default();
        callbacks.register(send("older", &to)).keep();
        callbacks.register(Box::new(|| panic!("in a cleanup"))).keep();
        callbacks.fire();
        assert_eq!(ran.try_recv(), Ok("older"));
    }
}
