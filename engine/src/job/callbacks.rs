//! Callbacks that run once, when a run is cancelled or ends.
//!
//! A closure is registered until its guard is dropped. [`Callbacks::fire`] runs those that are still
//! registered, once, on the thread that calls it. A callback that is registered later runs at once, so
//! that a thread that is a microsecond late does not leak its temporary file or child process. When to
//! fire is decided in `cancel` and `signals`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use super::lock;

/// A closure that runs at most once, possibly on another thread.
pub type Callback = Box<dyn FnMut() + Send>;

/// The callbacks of one event of a run.
#[derive(Clone, Default)]
pub struct Callbacks(Arc<Mutex<Waiting>>);

/// The callbacks that remove temporary files and end child processes at the end of a run, however it
/// ends.
pub type Cleanup = Callbacks;

/// Keeps a cleanup registered. Dropping it means that there is nothing left to clean up.
///
/// Dropping does not run the cleanup. The owner of a temporary file removes the file in its own `drop`;
/// the registered closure is for process exits that drop nothing.
pub type CleanupGuard = CallbackGuard;

#[derive(Default)]
struct Waiting {
    fired: bool,
    next_id: u64,
    entries: Vec<(u64, Callback)>,
}

impl Callbacks {
    /// Registers `callback` until the guard is dropped, or runs it at once if [`Callbacks::fire`] was
    /// called already.
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

    /// Runs all registered callbacks, the newest first. Callbacks that are registered later run at
    /// once.
    ///
    /// The order is that of dropping local variables: what was registered later may be inside of what
    /// was registered earlier.
    pub fn fire(&self) {
        let entries = {
            let mut waiting = lock(&self.0);
            waiting.fired = true;
            std::mem::take(&mut waiting.entries)
        };
        // Run without the lock, because a callback may register or drop a guard.
        for (_, mut callback) in entries.into_iter().rev() {
            run(&mut callback);
        }
    }
}

/// Catches a panic, so that the other callbacks still run.
fn run(callback: &mut Callback) {
    if catch_unwind(AssertUnwindSafe(callback)).is_err() {
        log::warn!("a callback at the end of the job panicked");
    }
}

/// Keeps a callback registered until it is dropped.
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
        // Drop without the lock, because the closure may itself own a guard.
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
