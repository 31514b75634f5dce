//! Records where a panic occurred, for the code that reports it.
//!
//! The panic hook stores a note on the thread that panicked. It prints nothing if the panic is known to
//! be caught and turned into an error: users should see one cause once, with its location, and not the
//! runtime's text as well. Whoever catches the panic makes the error.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::cell::{Cell, RefCell};
use std::panic::{PanicHookInfo, UnwindSafe};
use std::sync::Once;

use crate::error::Error;

use super::terminal::say;

/// The message and location of a panic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PanicNote {
    /// The panic message.
    pub message: String,
    /// Path of the source file, as it was passed to the compiler.
    pub file: String,
    /// Line in that file.
    pub line: u32,
}

impl PanicNote {
    /// Converts to a bug error, in the job's code or in Kiln.
    pub fn into_error(self) -> Error {
        let place = format!("{}:{}", self.file, self.line);
        Error::bug(format!("the job panicked: {}", self.message)).at("file", place)
    }
}

thread_local! {
    static LATEST: RefCell<Option<PanicNote>> = const { RefCell::new(None) };
    static CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// Installs the hook that records panics on all threads. Call it early in `main`; later calls do
/// nothing.
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

/// Marks this thread as one whose panics are caught and reported by the code that runs tasks on it.
pub fn mark_task_thread() {
    CAUGHT.set(true);
}

/// The latest panic of this thread since the last call, if there was one.
pub fn take_panic() -> Option<PanicNote> {
    LATEST.take()
}

/// Runs `body` and converts a panic to a bug error that names the line.
pub(crate) fn catch<T>(body: impl FnOnce() -> Result<T, Error> + UnwindSafe) -> Result<T, Error> {
    take_panic();
    let before = CAUGHT.replace(true);
    let outcome = std::panic::catch_unwind(body);
    CAUGHT.set(before);
    outcome.unwrap_or_else(|payload| match take_panic() {
        Some(note) => Err(note.into_error()),
        // The panic was resumed from another thread, which has its note.
        None => Err(Error::bug(format!("the job panicked: {}", text(&*payload)))),
    })
}

fn note(info: &PanicHookInfo<'_>) {
    let (file, line) = info.location().map_or(("unknown", 0), |at| (at.file(), at.line()));
    let note = PanicNote { message: text(info.payload()).to_owned(), file: file.to_owned(), line };
    // During thread teardown the slot may be gone, and nobody will ask for the note.
    let _ = LATEST.try_with(|latest| latest.replace(Some(note)));
}

/// Prints the backtrace if RUST_BACKTRACE asks for it. Only the panic message is suppressed.
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
