//! External reasons to cancel a run: signals, the time limit, and the exit of a parent process.
//!
//! Separate threads wait for them and cancel the run or exit the process. A task that does not poll
//! must not make a scheduler wait: Airflow kills after 5 s, and then nobody cleans up. The process
//! therefore exits with `_exit`, which waits for no other thread. Whatever it does before that has a
//! time limit, because a hanging job may hold the lock of standard output. Only a commit gets more
//! time, because a partial commit is worse than a late exit.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread::Builder;
use std::time::{Duration, Instant};

use rustix::process::getppid;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::error::{Error, Result};

use super::cancel::CancelReason;
use super::exit::Ending;
use super::options::Orphan;
use super::parent::Callers;
use super::run::Run;
use super::terminal::say;

/// How long a job may take to stop after the first signal. In total it has 2 s.
pub const CANCEL_GRACE: Duration = Duration::from_millis(1500);
/// Time limit of the cleanups of a job that is ended by force.
const CLEANUP_LIMIT: Duration = Duration::from_millis(300);
/// Time limit of the report of a job that is ended by force.
const REPORT_LIMIT: Duration = Duration::from_millis(100);
/// Interval at which the parent is checked.
const PARENT_POLL: Duration = Duration::from_millis(500);

/// Handles SIGINT, SIGTERM and SIGHUP for `run`, and watches its time limit and its callers. Call it
/// once per process.
///
/// If SIGHUP was ignored at the start, it stays ignored: with `nohup` the job outlives its caller.
///
/// # Errors
/// Fails when the handlers or a thread cannot be installed.
pub fn install(run: &Arc<Run>) -> Result<()> {
    let failed = |e| Error::io("signals cannot be handled", e);
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(failed)?;
    let (handle, parent) = (signals.handle(), getppid());
    let listening = Arc::clone(run);
    let listen = move || signals.forever().for_each(|signal| received(&listening, signal));
    Builder::new().name("kiln-signals".to_owned()).spawn(listen).map_err(failed)?;
    let watched = Arc::clone(run);
    // The thread reads /proc, so that the job does not wait for it.
    let watch = move || {
        let is_detached = ignores_hangup();
        if !is_detached && let Err(error) = handle.add_signal(SIGHUP) {
            log::warn!("SIGHUP cannot be handled: {error}");
        }
        let is_bound = !is_detached && watched.options().orphan == Orphan::End;
        let callers = if is_bound { Callers::of_this_process() } else { None };
        if is_bound && getppid() != parent {
            return ask_to_stop(&watched, CancelReason::Orphaned);
        }
        watch(&watched, callers.as_ref());
    };
    Builder::new().name("kiln-watch".to_owned()).spawn(watch).map_err(failed)?;
    Ok(())
}

/// Whether SIGHUP is ignored, according to /proc on Linux; false on other systems.
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (SIGHUP - 1) & 1 == 1)
}

fn received(run: &Arc<Run>, signal: i32) {
    let reason = match signal {
        SIGINT => CancelReason::Interrupt,
        SIGHUP => CancelReason::Hangup,
        _ => CancelReason::Terminate,
    };
    if !run.cancel.is_requested() {
        ask_to_stop(run, reason);
    } else if run.commits().are_active() {
        say(&format!("still cancelling, {}", commit_words(run)));
    } else {
        end_process(run, reason);
    }
}

/// Watches the time limit and the callers, if there are any, until one of them is a reason to cancel.
fn watch(run: &Arc<Run>, callers: Option<&Callers>) {
    let timeout = run.options().timeout;
    while timeout.is_some() || callers.is_some() {
        let left = timeout.map(|limit| limit.saturating_sub(run.elapsed()));
        if left.is_some_and(|left| left.is_zero()) {
            return ask_to_stop(run, CancelReason::Deadline);
        }
        if callers.is_some_and(Callers::have_ended) {
            return ask_to_stop(run, CancelReason::Orphaned);
        }
        let nap = left.unwrap_or(PARENT_POLL);
        std::thread::sleep(if callers.is_some() { nap.min(PARENT_POLL) } else { nap });
    }
}

/// Cancels the run for the first reason; later ones have no effect.
fn ask_to_stop(run: &Arc<Run>, reason: CancelReason) {
    if run.cancel.is_requested() {
        return;
    }
    // Start the clock before anything that could block.
    let (late, asked) = (Arc::clone(run), Instant::now());
    let deadline = Builder::new().name("kiln-cancel-deadline".to_owned()).spawn(move || {
        std::thread::sleep(CANCEL_GRACE);
        let ended = late.commits().wait(asked + late.options().commit_grace);
        // If a commit continued after the request, the job still has to notice its end and return.
        let ended = ended.filter(|ended| *ended > asked);
        std::thread::sleep(
            ended.map_or(Duration::ZERO, |ended| CANCEL_GRACE.saturating_sub(ended.elapsed())),
        );
        end_process(&late, reason);
    });
    // Print nothing after the result, which must be the last line.
    if !run.is_ending() {
        say(&first_words(run, reason));
    }
    run.cancel.request(reason);
    if deadline.is_err() {
        end_process(run, reason);
    }
}

fn first_words(run: &Run, reason: CancelReason) -> String {
    let why = match reason {
        CancelReason::Deadline => "the time limit has passed, ",
        CancelReason::Orphaned => "the parent process has ended, ",
        _ => "",
    };
    let published = match run.facts().outputs.len() {
        _ if run.commits().are_active() => commit_words(run),
        0 => "nothing published".to_owned(),
        1 => "1 output is already published".to_owned(),
        many => format!("{many} outputs are already published"),
    };
    format!("{why}cancelling, {published}")
}

fn commit_words(run: &Run) -> String {
    format!("a commit is under way and has {:?} to finish", run.options().commit_grace)
}

/// Exits the process now, whatever its other threads are doing.
fn end_process(run: &Arc<Run>, latest: CancelReason) {
    let reason = run.cancel.reason().unwrap_or(latest);
    if run.claim_end() {
        // Do not delete files that a commit is moving; the next attempt collects the rest.
        if !run.commits().close() {
            let cleaned = Arc::clone(run);
            within(CLEANUP_LIMIT, move || cleaned.cleanup.fire());
        }
        let reported = Arc::clone(run);
        within(REPORT_LIMIT, move || {
            let ending = Ending::stopped_by_force(reason, &reported.facts());
            super::report(&reported, &ending, REPORT_LIMIT / 4);
        });
    } else {
        // Another thread is reporting. Give it the time that a report needs, and no more.
        std::thread::sleep(REPORT_LIMIT);
    }
    let code = run.decided_code().unwrap_or(reason.exit_code());
    signal_hook::low_level::exit(code.into());
}

/// Runs `work` on another thread, which is abandoned if it takes longer than `limit`.
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
    use super::super::progress::Progress;
    use super::super::run::Output;
    use super::*;

    #[test]
    fn the_first_words_do_not_claim_what_is_not_so() {
        let run = Run::new("r", Progress::silent());
        let words = || first_words(&run, CancelReason::Terminate);
        assert_eq!(words(), "cancelling, nothing published");
        let commit = run.committing().unwrap();
        assert_eq!(words(), "cancelling, a commit is under way and has 20s to finish");
        run.published(Output::default());
        drop(commit);
        assert_eq!(words(), "cancelling, 1 output is already published");
        let late = first_words(&run, CancelReason::Deadline);
        assert_eq!(late, "the time limit has passed, cancelling, 1 output is already published");
    }

    #[test]
    fn work_that_hangs_is_left_behind() {
        let started = Instant::now();
        within(Duration::from_millis(20), || std::thread::sleep(Duration::from_secs(5)));
        assert!(started.elapsed() < Duration::from_secs(2));
    }
}
