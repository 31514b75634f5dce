//! One executor process: started from this program's own file, watched, killed and reaped.
//!
//! Nothing that is secret stands in its arguments or environment; the token goes through its
//! standard input, which then stays open. When this process dies, even by SIGKILL, the system closes
//! that pipe and the executor ends itself. A thread waits for the executor's end, so that it is
//! known at once and nothing polls. What the process does meanwhile is not known here.

use std::ffi::OsString;
use std::io::Write;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;
use std::time::{Duration, Instant};

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use super::backend::ExecutorCommand;
use super::binary;
use super::token::Token;
use crate::driver::ExecutorId;
use crate::error::{Error, Result};

/// The variable by which a process learns that it is an executor, and which one.
pub(super) const EXECUTOR: &str = "KILN_EXECUTOR";
/// The variable with the driver's address.
pub(super) const DRIVER: &str = "KILN_DRIVER";
/// The variable with the number of tasks that an executor runs at once.
pub(super) const SLOTS: &str = "KILN_EXECUTOR_SLOTS";

/// The variable with the rows of a batch.
pub(super) const BATCH_ROWS: &str = "KILN_BATCH_ROWS";

/// What an executor process is started with.
pub(super) struct Start<'a> {
    pub(super) executor: ExecutorId,
    pub(super) slots: usize,
    pub(super) driver_address: String,
    pub(super) token: &'a Token,
    pub(super) command: &'a ExecutorCommand,
}

/// An executor process.
pub(super) struct Process {
    pid: u32,
    state: Mutex<State>,
    ended: Condvar,
}

struct State {
    /// The process until it is reaped; after that its number may be another's.
    child: Option<Child>,
    stdin: Option<ChildStdin>,
}

impl Process {
    /// Starts one; `on_exit` hears how it ended, on a thread of its own.
    ///
    /// # Errors
    /// When the system refuses a process or a thread.
    pub(super) fn start(
        start: &Start<'_>,
        on_exit: impl FnOnce(Exit) + Send + 'static,
    ) -> Result<Arc<Process>> {
        let failed =
            |e| Error::io("an executor process cannot be started", e).at("executor", start.executor.0);
        let mut child = command(start).spawn().map_err(failed)?;
        let mut stdin = child.stdin.take();
        if let Some(pipe) = &mut stdin {
            // A process that ends at once closes the pipe; its exit says more than this error.
            let _ = pipe.write_all(start.token.line().as_bytes());
        }
        let pid = child.id();
        log::info!("{} is started as process {pid}", start.executor);
        let state = Mutex::new(State { child: Some(child), stdin });
        let process = Arc::new(Process { pid, state, ended: Condvar::new() });
        let watched = Arc::clone(&process);
        let watch = move || on_exit(watched.wait());
        let thread = Builder::new().name(format!("kiln-watch-{}", start.executor.0)).spawn(watch);
        if let Err(e) = thread {
            process.kill();
            return Err(failed(e));
        }
        Ok(process)
    }

    /// Ends the process at once, if it has not ended.
    pub(super) fn kill(&self) {
        if let Some(child) = &mut self.lock().child {
            let _ = child.kill();
        }
    }

    /// Lets the process see that its driver has gone, waits for its end until `limit`, then kills it.
    pub(super) fn end(&self, limit: Duration) {
        let until = Instant::now() + limit;
        let mut state = self.lock();
        state.stdin = None;
        while state.child.is_some() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state = self.ended.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        if let Some(mut child) = state.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Waits until the process has ended, and reaps it.
    fn wait(&self) -> Exit {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        // The process stays a zombie while this waits without the lock, so `kill` cannot hit another.
        if let Some(pid) = pid {
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            while let Err(rustix::io::Errno::INTR) = waitid(WaitId::Pid(pid), options) {}
        }
        let mut state = self.lock();
        let status = state.child.as_mut().and_then(|child| child.wait().ok());
        state.child = None;
        self.ended.notify_all();
        Exit { pid: self.pid, status }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn command(start: &Start<'_>) -> Command {
    let mut command = Command::new(binary::path());
    command
        .arg0(std::env::args_os().next().unwrap_or_else(|| OsString::from("kiln-executor")))
        .args(&start.command.args)
        .envs(start.command.env.iter().map(|(name, value)| (name, value)))
        .env(EXECUTOR, start.executor.0.to_string())
        .env(DRIVER, &start.driver_address)
        .env(SLOTS, start.slots.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        // Its own group: a Ctrl-C at the terminal is for the driver, which then ends its executors.
        .process_group(0);
    command
}

/// How a process ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exit {
    pid: u32,
    status: Option<ExitStatus>,
}

impl Exit {
    /// The exit as the reason of a loss. A process that was killed may live longer the next time; one
    /// that has ended by itself had a reason that stays.
    pub(super) fn into_error(self) -> Error {
        match self.status.and_then(|status| status.code()) {
            None => Error::transient(self.to_string()),
            Some(_) => Error::config(self.to_string()),
        }
    }
}

/// `its process (pid 123) was killed by signal 9`
impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "its process (pid {}) ", self.pid)?;
        match self.status.map(|status| (status.code(), status.signal())) {
            Some((Some(code), _)) => write!(f, "exited with code {code}"),
            Some((None, Some(signal))) => write!(f, "was killed by signal {signal}"),
            Some((None, None)) | None => f.write_str("has ended"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exit(status: i32) -> String {
        Exit { pid: 123, status: Some(ExitStatus::from_raw(status)) }.to_string()
    }

    #[test]
    fn an_exit_tells_code_or_signal() {
        assert_eq!(exit(9), "its process (pid 123) was killed by signal 9");
        assert_eq!(exit(78 << 8), "its process (pid 123) exited with code 78");
    }
}
