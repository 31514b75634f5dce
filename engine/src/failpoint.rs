//! Failpoints: places in the code at which a test kills or stops the process.
//!
//! With the cargo feature `failpoints` the variable `KILN_FAILPOINT` names one of them and what happens there:
//! `commit.applied=kill` ends the process by SIGKILL, `commit.applied=stop` stops it by SIGSTOP until a SIGCONT.
//! `KILN_SHORT_LIMITS` gives limits of time that would keep a test waiting in milliseconds, and `KILN_SABOTAGE=fence` lets
//! every attempt publish, also one whose run is published, so that tests of the fence can be seen to fail; `checks` publishes whatever
//! checks find, and `drift` whatever the columns are. Without the feature nothing of this is compiled.

use std::time::Duration;

/// A failpoint called `name`.
#[cfg(feature = "failpoints")]
pub fn reached(name: &str) {
    use rustix::process::{Signal, getpid, kill_process};
    let Ok(setting) = std::env::var("KILN_FAILPOINT") else { return };
    let signal = match setting.strip_prefix(name) {
        Some("=kill") => Signal::KILL,
        Some("=stop") => Signal::STOP,
        _ => return,
    };
    // The process is killed or stopped here; a signal to oneself cannot be refused.
    let _ = kill_process(getpid(), signal);
    if signal == Signal::KILL {
        loop {
            std::thread::park();
        }
    }
}

/// A failpoint called `name`.
#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub fn reached(_name: &str) {}

/// Makes the place `name` slow: `KILN_SLOW=file.write=5` sleeps 5 ms there each time.
#[cfg(feature = "failpoints")]
pub fn slow(name: &str) {
    let Ok(setting) = std::env::var("KILN_SLOW") else { return };
    let millis = setting.strip_prefix(name).and_then(|rest| rest.strip_prefix('=')?.parse().ok());
    millis.into_iter().for_each(|millis| std::thread::sleep(Duration::from_millis(millis)));
}

/// Makes the place `name` slow.
#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub fn slow(_name: &str) {}

/// A time limit, which a test may shorten.
#[cfg(feature = "failpoints")]
pub fn limit(limit: Duration) -> Duration {
    let short = std::env::var("KILN_SHORT_LIMITS").ok().and_then(|limit| limit.parse().ok());
    short.map_or(limit, Duration::from_millis)
}

/// A time limit.
#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub fn limit(limit: Duration) -> Duration {
    limit
}

/// Whether a test has turned off the protection `name`.
#[cfg(feature = "failpoints")]
pub fn is_sabotaged(name: &str) -> bool {
    std::env::var("KILN_SABOTAGE").is_ok_and(|sabotaged| sabotaged == name)
}

/// Whether a test has turned off the protection `name`.
#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub fn is_sabotaged(_name: &str) -> bool {
    false
}
