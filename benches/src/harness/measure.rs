//! Measures a whole process from outside.
//!
//! Returns the output, the elapsed time and the peak memory of a command. Each run is a separate
//! process, because start-up, freeing memory and exit are part of what a user waits for, and because
//! the peak of one contender must not hide another's.

use std::ffi::OsString;
use std::io::{self, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Instant;

use kiln::{Error, Result};

/// The measurements of one process.
#[derive(Clone, Debug)]
pub struct Run {
    /// Time from just before the start to the exit.
    pub seconds: f64,
    /// Peak resident memory of the process, or of the largest child that it waited for.
    pub peak_bytes: u64,
    /// All of its standard output.
    pub output: String,
}

/// A command that runs this program with `arguments`.
///
/// # Errors
/// Fails when the path of the program is unknown.
pub fn this_program(arguments: &[OsString]) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe().map_err(failed)?);
    command.args(arguments);
    Ok(command)
}

/// Runs `command` and waits for it.
///
/// # Errors
/// Fails when it cannot be started or does not succeed.
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

/// Waits for the child `pid`, which must not have been waited for.
fn wait_with_peak(pid: u32) -> io::Result<(ExitStatus, u64)> {
    let mut status = 0;
    // SAFETY: an all-zero `rusage` is a valid value of that plain C struct of integers.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    loop {
        // SAFETY: both pointers are to live, writable values of the types that wait4 fills in.
        let waited = unsafe { libc::wait4(pid as libc::pid_t, &raw mut status, 0, &raw mut usage) };
        if waited >= 0 {
            // On Linux the value is in KiB and includes children that the process waited for.
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
