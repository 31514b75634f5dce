//! Runs a user's code so that a panic in it fails the task, never the process.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::place;
use crate::error::{Error, Result};
use crate::job;

/// What `body` returns, or its panic as an error of class bug with the closure's file and line, and the
/// place of the record that it was given, where that is known.
pub fn guarded<T>(body: impl FnOnce() -> Result<T>) -> Result<T> {
    job::mark_task_thread();
    place::forget_panic();
    // The task's state is dropped whole after a panic, so nothing half-changed is seen again.
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
