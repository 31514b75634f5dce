//! Runs user code so that a panic in it fails the task, never the process.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::place;
use crate::error::{Error, Result};
use crate::job;

/// Runs `body`. A panic becomes an error of class bug with the closure's file and line, and the position of
/// the current record if it is known.
pub fn guarded<T>(body: impl FnOnce() -> Result<T>) -> Result<T> {
    job::mark_task_thread();
    place::forget_panic();
    // The whole state of the task is dropped after a panic, so no half-changed value is seen again.
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|_| {
        let error = match job::take_panic() {
            Some(note) => note.into_error(),
            None => Error::bug("a closure panicked"),
        };
        Err(match place::of_panic() {
            Some(place) => error.at("record", place),
            None => error,
        })
    })
}
