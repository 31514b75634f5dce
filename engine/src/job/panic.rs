//! Where a panic came from, kept for the one who reports it.
//!
//! A panic enters through the hook and leaves as a note on the thread that panicked. The hook prints
//! nothing where someone is known to catch the panic and to make an error of it, because a user
//! should see one cause once, with its place, and not the runtime's text as well. What an error then
//! looks like belongs to the one who catches.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::cell::{Cell, RefCell};
use std::panic::{PanicHookInfo, UnwindSafe};
use std::sync::Once;

use crate::error::Error;

use super::terminal::say;

/// The message of a panic and the line it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PanicNote {
    /// What the panic said.
    pub message: String,
    /// The source file, as the compiler was given it.
    pub file: String,
    /// The line in that file.
    pub line: u32,
}

impl PanicNote {
    /// The note as an error of class bug: the job's code, or Kiln's, is at fault.
    pub fn into_error(self) -> Error {
        let place = format!("{}:{}", self.file, self.line);
        Error::bug(format!("the job panicked: {}", self.message)).at("file", place)
    }
}

thread_local! {
    static LATEST: RefCell<Option<PanicNote>> = const { RefCell::new(None) };
    static CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// Makes every thread note its panics; call it once, early in `main`. Later calls do nothing.
pub fn install_panic_hook() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            note(info);
            if CAUGHT.get() { trace_if_asked() } else { previous(info) }
        }));
    });
}

/// Says that panics of this thread are caught and reported by whoever runs tasks on it.
pub fn mark_task_thread() {
    CAUGHT.set(true);
}

/// The latest panic of this thread, if it had one since the last call.
pub fn take_panic() -> Option<PanicNote> {
    LATEST.take()
}

/// Runs `body`; a panic becomes an error of class bug that names the line.
pub(crate) fn catch<T>(body: impl FnOnce() -> Result<T, Error> + UnwindSafe) -> Result<T, Error> {
    take_panic();
    let before = CAUGHT.replace(true);
    let outcome = std::panic::catch_unwind(body);
    CAUGHT.set(before);
    outcome.unwrap_or_else(|payload| match take_panic() {
        Some(note) => Err(note.into_error()),
        // A panic that another thread had, resumed here: its note stayed there.
        None => Err(Error::bug(format!("the job panicked: {}", text(&*payload)))),
    })
}

fn note(info: &PanicHookInfo<'_>) {
    let (file, line) = info.location().map_or(("unknown", 0), |at| (at.file(), at.line()));
    let note = PanicNote { message: text(info.payload()).to_owned(), file: file.to_owned(), line };
    // While a thread is torn down the slot may be gone; then nobody is left to ask for the note.
    let _ = LATEST.try_with(|latest| latest.replace(Some(note)));
}

/// The silence is about the text, not about the trace that RUST_BACKTRACE asks for.
fn trace_if_asked() {
    let trace = Backtrace::capture();
    if trace.status() == BacktraceStatus::Captured {
        say(&format!("stack of the panic:\n{trace}"));
    }
}

fn text(payload: &(dyn Any + Send)) -> &str {
    let owned = payload.downcast_ref::<String>().map(String::as_str);
    owned.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error_that_names_its_line() {
        install_panic_hook();
        let line = line!() + 1;
        let error = catch::<()>(|| panic!("no {} left", "luck")).unwrap_err();
        let place = format!("{}:{line}", file!());
        assert_eq!(error.to_string(), format!("the job panicked: no luck left, at file {place}"));
        assert_eq!(error.class().exit_code(), 70);
    }

    #[test]
    fn a_note_is_taken_once_and_stays_on_its_thread() {
        install_panic_hook();
        let elsewhere = std::thread::spawn(|| {
            mark_task_thread();
            let _ = std::panic::catch_unwind(|| panic!("in a task"));
            (take_panic().map(|note| note.message), take_panic())
        });
        assert_eq!(elsewhere.join().ok(), Some((Some("in a task".to_owned()), None)));
        assert_eq!(take_panic(), None);
    }

    #[test]
    fn a_resumed_panic_keeps_its_message() {
        install_panic_hook();
        let error = catch::<()>(|| std::panic::resume_unwind(Box::new("from a pool"))).unwrap_err();
        assert_eq!(error.to_string(), "the job panicked: from a pool");
    }
}
