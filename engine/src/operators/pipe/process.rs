//! The process of a piped partition: its process group, exit status and last lines of standard error.

use std::collections::VecDeque;
use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use crate::error::{Error, Result};

/// Bytes of standard error that are kept, and the number of its last lines in an error message.
const TAIL_BYTES: usize = 2 << 10;
const TAIL_LINES: usize = 5;
/// Interval between checks of a process that has closed its output but still runs.
const WAIT: Duration = Duration::from_millis(1);

/// A started process with its pipes.
pub(super) struct Started {
    pub(super) process: Process,
    pub(super) stdin: ChildStdin,
    pub(super) stdout: ChildStdout,
    pub(super) stderr: ChildStderr,
}

/// A running process, which is killed when it is dropped.
pub(super) struct Process {
    child: Child,
    group: Group,
}

/// A process and those of its children that stay in its process group. It must not be killed after it
/// was waited for, because its id may then belong to another process.
#[derive(Clone, Copy)]
pub(super) struct Group(Option<Pid>);

impl Started {
    /// Starts `command`, a program and its arguments, with `env` in its environment.
    pub(super) fn new(command: &[String], env: &[(String, String)]) -> Result<Started> {
        let [program, args @ ..] = command else { return Err(Error::bug("a pipe lacks its command")) };
        let mut command = Command::new(program);
        command.args(args).envs(env.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.process_group(0).spawn();
        let mut child = child.map_err(|e| Error::io("the command cannot be started", e))?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let group = Group(i32::try_from(child.id()).ok().and_then(Pid::from_raw));
        let process = Process { child, group };
        match pipes {
            (Some(stdin), Some(stdout), Some(stderr)) => Ok(Started { process, stdin, stdout, stderr }),
            _ => Err(Error::bug("a process was started without its pipes")),
        }
    }
}

impl Process {
    pub(super) fn group(&self) -> Group {
        self.group
    }

    /// Waits until the process exits, and kills it once `cancelled` is set.
    pub(super) fn wait(mut self, cancelled: &AtomicBool) -> Result<ExitStatus> {
        loop {
            let status = self.child.try_wait();
            if let Some(status) = status.map_err(|e| Error::io("the command cannot be waited for", e))? {
                self.group = Group(None);
                return Ok(status);
            }
            if cancelled.load(Ordering::Relaxed) {
                self.group.kill();
            }
            std::thread::sleep(WAIT);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.group.0.is_some() {
            self.group.kill();
            let _ = self.child.wait();
        }
    }
}

impl Group {
    pub(super) fn kill(self) {
        if let Some(pid) = self.0 {
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }

    /// A guard that kills the group when it is dropped by a panic.
    pub(super) fn killed_by_a_panic(self) -> impl Drop {
        struct Guard(Group);
        impl Drop for Guard {
            fn drop(&mut self) {
                if std::thread::panicking() {
                    self.0.kill();
                }
            }
        }
        Guard(self)
    }
}

/// Reads to the end and returns the last lines, joined into one.
pub(super) fn last_lines(mut pipe: impl Read) -> String {
    let (mut tail, mut block) = (VecDeque::new(), [0; TAIL_BYTES]);
    while let Ok(read) = pipe.read(&mut block)
        && read > 0
    {
        tail.extend(&block[..read]);
        tail.drain(..tail.len().saturating_sub(TAIL_BYTES));
    }
    let text = String::from_utf8_lossy(tail.make_contiguous()).into_owned();
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join(" | ")
}

/// Fails unless the process exited with code 0.
pub(super) fn succeeded(status: ExitStatus, last_lines: String) -> Result<()> {
    let how = match (status.code(), status.signal()) {
        (Some(0), _) => return Ok(()),
        (Some(code), _) => format!("the command ended with code {code}"),
        (None, signal) => format!("the command was ended by signal {}", signal.unwrap_or_default()),
    };
    let error = Error::bug(how);
    Err(if last_lines.is_empty() { error } else { error.because(std::io::Error::other(last_lines)) })
}
