//! One whole process, measured from outside.
//!
//! A command goes in; what it printed, how long it lived and how much memory it
//! held at most come out. A process of its own, because start-up, freeing and exit are part
//! of what a user waits for, and because the peak of one contender must not hide another's. It does
//! not know what is run.

use std::ffi::OsString;
use std::io::{self, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Instant;

use kiln::{Error, Result};

/// What one process did.
#[derive(Clone, Debug)]
pub struct Run {
    /// From just before the start to the exit.
    pub seconds: f64,
    /// Peak resident memory of the process, or of the largest of those that it waited for.
    pub peak_bytes: u64,
    /// All of its standard output.
    pub output: String,
}

/// This program with `arguments`, not started yet.
///
/// # Errors
/// When its file is not known.
pub fn this_program(arguments: &[OsString]) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe().map_err(failed)?);
    command.args(arguments);
    Ok(command)
}

/// Runs `command` and waits for it.
///
/// # Errors
/// When it cannot be started, or ends with anything but success.
pub fn run(mut command: Command) -> Result<Run> {
    let started = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(failed)?;
    let mut output = String::new();
    let read = child.stdout.take().map_or(Ok(0), |mut stdout| stdout.read_to_string(&mut output));
    let (status, peak_bytes) = wait_with_peak(child.id()).map_err(failed)?;
    let seconds = started.elapsed().as_secs_f64();
    if !status.success() {
        return Err(Error::bug(format!("a contender failed with {status}")).at("run", format!("{command:?}")));
    }
    read.map_err(failed)?;
    Ok(Run { seconds, peak_bytes, output })
}

/// Waits for the child `pid`, which nobody has waited for yet.
fn wait_with_peak(pid: u32) -> io::Result<(ExitStatus, u64)> {
    let mut status = 0;
    // SAFETY: an all-zero `rusage` is a valid value of that plain C struct of integers.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    loop {
        // SAFETY: both pointers are to live, writable values of the types that wait4 fills in.
        let waited = unsafe { libc::wait4(pid as libc::pid_t, &raw mut status, 0, &raw mut usage) };
        if waited >= 0 {
            // Linux counts in KiB, and takes the children that the process waited for into account.
            return Ok((ExitStatus::from_raw(status), usage.ru_maxrss as u64 * 1024));
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

fn failed(error: io::Error) -> Error {
    Error::io("a contender cannot be run", error)
}
