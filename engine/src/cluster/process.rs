//! One executor process: started from this program's own file, watched, killed and reaped.
//!
//! Nothing secret is added to its arguments or environment. The token is sent through its standard input,
//! which then stays open: when this process dies, even by SIGKILL, the system closes the pipe and the
//! executor exits. A thread waits for the executor's exit, so that it is noticed at once without polling.
//! What the process does is not known here.

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

/// The variable that marks a process as an executor and contains its id.
pub(super) const EXECUTOR: &str = "KILN_EXECUTOR";
/// The variable with the driver's address.
pub(super) const DRIVER: &str = "KILN_DRIVER";
/// The variable with the number of tasks that an executor runs at once.
pub(super) const SLOTS: &str = "KILN_EXECUTOR_SLOTS";

/// The variable with the number of rows in a batch.
pub(super) const BATCH_ROWS: &str = "KILN_BATCH_ROWS";

/// The parameters of a new executor process.
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
    /// The process until it is reaped; after that its pid may belong to another process.
    child: Option<Child>,
    stdin: Option<ChildStdin>,
}

impl Process {
    /// Starts a process; `on_exit` is called with its exit, on a separate thread.
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
            // A process that exits at once closes the pipe; its exit explains more than this error.
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

    /// Kills the process, unless it has exited.
    pub(super) fn kill(&self) {
        if let Some(child) = &mut self.lock().child {
            let _ = child.kill();
        }
    }

    /// Closes the pipe to the process, waits at most `limit` for its exit, then kills it.
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

    /// Waits until the process has exited, and reaps it.
    fn wait(&self) -> Exit {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        // This waits without the lock. The process stays a zombie meanwhile, so `kill` cannot hit another
        // one.
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
        // Its own process group: Ctrl-C at the terminal is meant for the driver, which then ends its
        // executors.
        .process_group(0);
    command
}

/// How a process exited.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exit {
    pid: u32,
    status: Option<ExitStatus>,
}

impl Exit {
    /// The exit as the reason of a loss. A process that was killed may run longer next time; one that exited
    /// by itself would do so again.
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
