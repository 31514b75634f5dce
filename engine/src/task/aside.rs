//! Runs a part of a task on a second thread.
//!
//! Operators push rows. User code that pulls rows, or a process that is written to and read at the same time,
//! needs a second stack. The thread's counts, panics and cancellation are those of its task, and it never
//! outlives the task.

use std::thread::Builder;

use super::{STACK_BYTES, Task, accumulator, counts, guarded};
use crate::error::{Error, Result};

/// Runs `feed` on a second thread while `work` runs on this one, and returns both results.
///
/// `feed` must end when `work` has: because a channel or pipe between them is closed.
///
/// # Errors
/// Of class resource when the thread cannot be started.
pub fn aside<R>(
    task: &Task<'_>,
    feed: impl FnOnce(&Task<'_>) -> Result<()> + Send,
    work: impl FnOnce() -> R,
) -> Result<(Result<()>, R)> {
    let (env, partition, inputs) = (task.env, task.partition, task.inputs);
    let feeding = move || {
        counts::start();
        let fed = guarded(|| feed(&Task::new(env, partition, inputs)));
        (fed, counts::finish(), accumulator::take())
    };
    std::thread::scope(|scope| {
        let thread =
            Builder::new().name("kiln-feed".to_owned()).stack_size(STACK_BYTES).spawn_scoped(scope, feeding);
        let thread = thread.map_err(|e| Error::resource("a task's second thread cannot start").because(e))?;
        let worked = work();
        let lost = |_| (Err(Error::bug("a task's second thread has gone")), Vec::new(), Vec::new());
        let (fed, counted, accumulated) = thread.join().unwrap_or_else(lost);
        counts::add(&counted);
        accumulator::add(accumulated);
        Ok((fed, worked))
    })
}
