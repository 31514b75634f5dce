//! Places in the code at which a test ends or stops the process.
//!
//! With the cargo feature `failpoints` the variable `KILN_FAILPOINT` names one of them and what happens there:
//! `commit.applied=kill` ends the process by SIGKILL, `commit.applied=stop` stops it by SIGSTOP until a SIGCONT. Without
//! the feature nothing of this is compiled.

/// Marks the place `name`.
#[cfg(feature = "failpoints")]
pub fn reached(name: &str) {
    use rustix::process::{Signal, getpid, kill_process};
    let Ok(setting) = std::env::var("KILN_FAILPOINT") else { return };
    let signal = match setting.strip_prefix(name) {
        Some("=kill") => Signal::KILL,
        Some("=stop") => Signal::STOP,
        _ => return,
    };
    // The process ends or stops here; a signal to oneself cannot be refused.
    let _ = kill_process(getpid(), signal);
    while signal == Signal::KILL {
        std::thread::yield_now();
    }
}

/// Marks the place `name`.
#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub fn reached(_name: &str) {}
