//! Reasons to stop from outside: signals, the time limit, a parent that has ended.
//!
//! They enter on threads of their own, a cancel request or an exit leaves. A task that does not
//! look up must not keep a scheduler waiting: Airflow kills after 5 s and then nobody cleans up. So
//! the process ends itself by `_exit`, which waits for no other thread; and whatever it does before
//! that runs under a time limit, since a job that hangs may hold the lock of standard output. Only a
//! commit gets more time: half of one is worse than a late exit. What is reported belongs to `exit`,
//! what must be cleaned up to whoever registered it.

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

/// How long a job may take to end by itself after the first signal. All in all it has 2 s.
pub const CANCEL_GRACE: Duration = Duration::from_millis(1500);
/// How long the cleanups of a job that is ended may take.
const CLEANUP_LIMIT: Duration = Duration::from_millis(300);
/// How long the report of a job that is ended may take.
const REPORT_LIMIT: Duration = Duration::from_millis(100);
/// How often the parent is looked at.
const PARENT_POLL: Duration = Duration::from_millis(500);

/// Starts to listen for SIGINT, SIGTERM and SIGHUP on behalf of `run`, to watch its time limit and its callers; call it
/// once per process.
///
/// SIGHUP stays ignored when it was ignored at the start: `nohup` means that the job outlives its caller.
///
/// # Errors
/// When the system refuses the handlers or a thread.
pub fn install(run: &Arc<Run>) -> Result<()> {
    let failed = |e| Error::io("signals cannot be handled", e);
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(failed)?;
    let (handle, parent) = (signals.handle(), getppid());
    let listening = Arc::clone(run);
    let listen = move || signals.forever().for_each(|signal| received(&listening, signal));
    Builder::new().name("kiln-signals".to_owned()).spawn(listen).map_err(failed)?;
    let watched = Arc::clone(run);
    // Files of /proc are read there, so that the job does not wait for them.
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

/// Whether SIGHUP is ignored, by the mask that Linux shows; elsewhere it is taken not to be.
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

/// Looks at the time limit and at the callers, if there are any, until one of them is a reason to stop.
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

/// The first reason to stop; a later one changes nothing.
fn ask_to_stop(run: &Arc<Run>, reason: CancelReason) {
    if run.cancel.is_requested() {
        return;
    }
    // The clock starts before anything that could block.
    let (late, asked) = (Arc::clone(run), Instant::now());
    let deadline = Builder::new().name("kiln-cancel-deadline".to_owned()).spawn(move || {
        std::thread::sleep(CANCEL_GRACE);
        let ended = late.commits().wait(asked + late.options().commit_grace);
        // A job whose commit went on after the request has to see that it is done, and to return.
        let ended = ended.filter(|ended| *ended > asked);
        std::thread::sleep(
            ended.map_or(Duration::ZERO, |ended| CANCEL_GRACE.saturating_sub(ended.elapsed())),
        );
        end_process(&late, reason);
    });
    // A job that is writing its result must have the last line to itself.
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

/// Ends the process now, whatever its other threads do.
fn end_process(run: &Arc<Run>, latest: CancelReason) {
    let reason = run.cancel.reason().unwrap_or(latest);
    if run.claim_end() {
        // What a commit moves is not removed under it; the next attempt collects what is left.
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
        // Someone reports already. It gets the time that a report needs, and no more.
        std::thread::sleep(REPORT_LIMIT);
    }
    let code = run.decided_code().unwrap_or(reason.exit_code());
    signal_hook::low_level::exit(code.into());
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
