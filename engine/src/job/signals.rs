//! SIGINT and SIGTERM: the first asks the run to stop, the second or the deadline ends the process.
//!
//! Signals enter on a thread of their own, a cancel request or an exit leaves. A task that does not
//! look up must not keep a scheduler waiting: Airflow kills after 5 s and then nobody cleans up. So
//! the process ends itself by `_exit`, which waits for no other thread; and whatever it does before
//! that runs under a time limit, since a job that hangs may hold the lock of standard output. What
//! is reported belongs to `exit`, what must be cleaned up to whoever registered it.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread::Builder;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::error::{Error, Result};

use super::cancel::CancelReason;
use super::exit::Ending;
use super::run::Run;
use super::terminal::say;

/// How long a job may take to end by itself after the first signal. All in all it has 2 s.
pub const CANCEL_GRACE: Duration = Duration::from_millis(1500);
/// How long the cleanups of a job that is ended may take.
const CLEANUP_LIMIT: Duration = Duration::from_millis(300);
/// How long the report of a job that is ended may take.
const REPORT_LIMIT: Duration = Duration::from_millis(100);

/// Starts to listen for SIGINT and SIGTERM on behalf of `run`; call it once per process.
///
/// # Errors
/// When the system refuses the handlers or the thread.
pub fn install(run: &Arc<Run>) -> Result<()> {
    let failed = |e| Error::io("signals cannot be handled", e);
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(failed)?;
    let run = Arc::clone(run);
    let listen = move || {
        for signal in signals.forever() {
            let reason = if signal == SIGINT { CancelReason::Interrupt } else { CancelReason::Terminate };
            if run.cancel.is_requested() { end_process(&run, reason) } else { ask_to_stop(&run, reason) }
        }
    };
    Builder::new().name("kiln-signals".to_owned()).spawn(listen).map_err(failed)?;
    Ok(())
}

/// The first signal.
fn ask_to_stop(run: &Arc<Run>, reason: CancelReason) {
    // The clock starts before anything that could block.
    let late = Arc::clone(run);
    let deadline = Builder::new().name("kiln-cancel-deadline".to_owned()).spawn(move || {
        std::thread::sleep(CANCEL_GRACE);
        end_process(&late, reason);
    });
    // A job that is writing its result must have the last line to itself.
    if !run.is_ending() {
        say(&first_words(run.facts().outputs.len()));
    }
    run.cancel.request(reason);
    if deadline.is_err() {
        end_process(run, reason);
    }
}

fn first_words(outputs: usize) -> String {
    match outputs {
        0 => "cancelling, nothing published".to_owned(),
        1 => "cancelling, 1 output is already published".to_owned(),
        many => format!("cancelling, {many} outputs are already published"),
    }
}

/// Ends the process now, whatever its other threads do.
fn end_process(run: &Arc<Run>, latest: CancelReason) {
    let reason = run.cancel.reason().unwrap_or(latest);
    if run.claim_end() {
        let cleaned = Arc::clone(run);
        within(CLEANUP_LIMIT, move || cleaned.cleanup.fire());
        let reported = Arc::clone(run);
        within(REPORT_LIMIT, move || {
            let ending = Ending::stopped_by_force(reason, &reported.facts());
            super::report(&reported, &ending);
        });
    } else {
        // Someone reports already. It gets the time that a report needs, and no more.
        std::thread::sleep(REPORT_LIMIT);
    }
    signal_hook::low_level::exit(reason.exit_code().into());
}

/// Runs `work` on another thread and leaves it behind when it takes longer than `limit`.
fn within(limit: Duration, work: impl FnOnce() + Send + 'static) {
    let (done, wait) = channel();
    let started = Builder::new().name("kiln-ending".to_owned()).spawn(move || {
        work();
        let _ = done.send(());
    });
    if started.is_ok() {
        let _ = wait.recv_timeout(limit);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn the_first_words_do_not_claim_what_is_not_so() {
        assert_eq!(first_words(0), "cancelling, nothing published");
        assert_eq!(first_words(1), "cancelling, 1 output is already published");
    }

    #[test]
    fn work_that_hangs_is_left_behind() {
        let started = Instant::now();
        within(Duration::from_millis(20), || std::thread::sleep(Duration::from_secs(5)));
        assert!(started.elapsed() < Duration::from_secs(2));
    }
}
