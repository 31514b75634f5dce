//! The interface of a job binary to its scheduler and terminal, for one run.
//!
//! Runs the user's main function as a closure. Returns an exit code, and prints one summary line and,
//! on request, one JSON object. Logs and progress go to standard error and never to standard output,
//! which belongs to the job and to the result. Datasets are computed elsewhere; the driver and the
//! sinks report to [`Run`].
//!
//! ```no_run
//! use kiln::job;
//!
//! #[derive(clap::Parser)]
//! struct Args { input: String }
//!
//! fn main() -> std::process::ExitCode {
//!     job::install_panic_hook();
//!     job::init_logging();
//!     let code = match job::parse_args::<Args>() {
//!         Ok((run, args)) => job::execute(run, || {
//!             println!("{}", args.input);
//!             Ok(())
//!         }),
//!         Err(code) => code,
//!     };
//!     code.into()
//! }
//! ```

mod accumulators;
mod args;
mod bars;
mod bottleneck;
mod callbacks;
mod cancel;
mod checks;
mod commit;
mod exit;
mod formats;
mod identity;
mod listeners;
mod logging;
mod numbers;
mod options;
mod pace;
mod panic;
mod parent;
mod progress;
mod result;
mod result_file;
mod run;
mod schedulers;
mod signals;
mod start;
mod streams;
mod summary;
mod terminal;

use std::io::IsTerminal;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::error::Result;
pub use crate::meter::Resource;

pub use args::parse_args;
pub use bottleneck::{Bottleneck, NetworkShare};
pub use callbacks::{Callback, CallbackGuard, Callbacks, Cleanup, CleanupGuard};
pub use cancel::{Cancel, CancelReason};
pub use checks::{CheckResult, CheckStatus};
pub use commit::CommitGuard;
pub use exit::{Ending, NOTHING_TO_DO, Status};
pub use identity::Identity;
pub use listeners::Listener;
pub use logging::init as init_logging;
pub use options::{IfRunning, Mode, RunOptions};
pub(crate) use panic::catch;
pub use panic::{PanicNote, install_panic_hook, mark_task_thread, take_panic};
pub use progress::{Look, Progress, StageView};
pub(crate) use run::TIMES;
pub use run::{Facts, Input, Output, Run};
pub use signals::{CANCEL_GRACE, install as install_signals};
pub use start::{run_as_executor_if_asked, start, start_without_args};
pub use terminal::above_bars;

/// Explains in the log what a random run id means.
const NO_RUN_ID: &str =
    "note: no run id was given, so a retry of this run would publish again; set KILN_RUN_ID";

/// How long the end of a job waits for the listeners of its result.
const RECORD_LIMIT: Duration = Duration::from_secs(10);

/// Runs the job's main function, reports the outcome and returns the process exit code.
///
/// It runs the remaining cleanups and writes the result last. The caller must exit with the code and
/// print nothing more. Signals are handled only if [`install_signals`] was called for this run.
pub fn execute(run: Arc<Run>, body: impl FnOnce() -> Result<()>) -> u8 {
    // Unwind-safe, because the body is not called again after a panic and nobody sees its broken state.
    let outcome = panic::catch(AssertUnwindSafe(body));
    if !run.claim_end() {
        wait_for_exit();
    }
    run.cleanup.fire();
    let reason = run.cancel.reason();
    if let (Err(error), Some(_)) = (&outcome, reason) {
        log::debug!("error after the cancel: {error}");
    }
    let ending = Ending::of(&outcome, reason, &run.facts());
    run.decide_code(ending.code);
    report(&run, &ending, streams::STUCK_LIMIT);
    ending.code
}

/// Blocks this thread: the signal thread exits the process with its own code.
fn wait_for_exit() -> ! {
    loop {
        std::thread::park();
    }
}

/// Reports the outcome: error and summary for people, result for machines.
///
/// If a reader of the streams reads nothing for as long as `patience`, output is lost. The files do not
/// wait for it.
fn report(run: &Run, ending: &Ending, patience: Duration) {
    run.progress.job_ended();
    let result = result::write_files(run, ending);
    let recorded = run.announce(&result);
    streams::restore(patience);
    if let Some(error) = summary::error_text(ending) {
        terminal::say(&error);
    }
    let facts = run.facts();
    // Users at a terminal do not retry with a run id.
    if !facts.outputs.is_empty() && !run.identity().is_given && !std::io::stderr().is_terminal() {
        terminal::say(NO_RUN_ID);
    }
    terminal::say(&summary::summary(ending, &facts, run.elapsed()));
    if !recorded.wait(patience.min(RECORD_LIMIT)) {
        terminal::say("warning: the run is not recorded in its ledger: that took too long");
    }
    result::print(run, &result);
}

/// Locks the mutex even if it is poisoned, because the data is consistent after every step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::error::Error;

    fn code_of(body: impl FnOnce(&Run) -> Result<()>) -> u8 {
        let run = Run::new("r", Progress::silent());
        execute(Arc::clone(&run), || body(&run))
    }

    #[test]
    fn the_exit_code_tells_how_the_job_ended() {
        assert_eq!(code_of(|_| Ok(())), 0);
        assert_eq!(
            code_of(|run| {
                run.skip("no new input");
                Ok(())
            }),
            99
        );
        assert_eq!(code_of(|_| Err(Error::config("no such folder"))), 78);
    }

    #[test]
    fn a_panic_of_the_job_is_a_bug() {
        install_panic_hook();
        assert_eq!(code_of(|_| panic!("no rows")), 70);
    }

    #[test]
    fn a_cancel_explains_the_error_and_the_panic_that_follow_it() {
        install_panic_hook();
        let cancelled = |run: &Run| {
            run.cancel.request(CancelReason::Interrupt);
            Err(Error::bug("channel closed"))
        };
        assert_eq!(code_of(cancelled), 130);
        assert_eq!(code_of(|run| cancelled(run).map_err(|e| panic!("{e}"))), 130);
    }

    #[test]
    fn cleanups_that_are_left_run_at_the_normal_end() {
        static CLEANED: AtomicBool = AtomicBool::new(false);
        code_of(|run| {
            run.cleanup.register(Box::new(|| CLEANED.store(true, Ordering::SeqCst))).keep();
            Ok(())
        });
        assert!(CLEANED.load(Ordering::SeqCst));
    }
}
