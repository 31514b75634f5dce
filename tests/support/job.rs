//! Runs a job binary as a scheduler would: a process with its exit code, output and result file.
//!
//! A job starts in its own folder and with only those environment variables that the test sets. All of
//! its processes inherit one variable with a unique value, so that a test can check that none of them
//! is left, whatever their parent is by then. Every wait has a time limit.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::ffi::OsString;
use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::processes::{self, MARK};

/// The clusters in which every job must behave the same.
pub(crate) const EVERYWHERE: [&str; 2] = ["local[2]", "local-cluster[2,1]"];
/// Two executors of one slot each.
pub(crate) const EXECUTORS: &str = "local-cluster[2,1]";

/// Time limit of a job; none of them needs a quarter of it.
const LIMIT: Duration = Duration::from_secs(60);
/// How long the processes of a job may still exist after its end.
const AFTERLIFE: Duration = Duration::from_secs(2);

/// A job to be started.
pub(crate) struct Job {
    binary: PathBuf,
    args: Vec<OsString>,
    env: Vec<(&'static str, OsString)>,
    stdout: Stdio,
    stderr: Stdio,
    user: Option<u32>,
    folder: Option<PathBuf>,
}

impl Job {
    /// A job from the path in `env!("CARGO_BIN_EXE_…")`.
    pub(crate) fn new(binary: &str) -> Job {
        let (stdout, stderr) = (Stdio::piped(), Stdio::piped());
        Job {
            binary: binary.into(),
            args: Vec::new(),
            env: Vec::new(),
            stdout,
            stderr,
            user: None,
            folder: None,
        }
    }

    /// Sets the cluster: the value of `KILN_CLUSTER`.
    pub(crate) fn on(self, cluster: &str) -> Job {
        self.env("KILN_CLUSTER", cluster)
    }

    pub(crate) fn arg(mut self, arg: impl Into<OsString>) -> Job {
        self.args.push(arg.into());
        self
    }

    /// Adds an option and its value.
    pub(crate) fn option(self, name: &str, value: impl Into<OsString>) -> Job {
        self.arg(name).arg(value)
    }

    pub(crate) fn env(mut self, name: &'static str, value: impl Into<OsString>) -> Job {
        self.env.push((name, value.into()));
        self
    }

    /// Starts the job in `folder` and not in a temporary one.
    pub(crate) fn in_folder(mut self, folder: &Path) -> Job {
        self.folder = Some(folder.to_owned());
        self
    }

    /// Gives the job `stdout` instead of a pipe to the test.
    pub(crate) fn stdout(mut self, stdout: Stdio) -> Job {
        self.stdout = stdout;
        self
    }

    /// Gives the job `stderr` instead of a pipe to the test.
    pub(crate) fn stderr(mut self, stderr: Stdio) -> Job {
        self.stderr = stderr;
        self
    }

    /// Runs as a user who is subject to file permissions, unlike root.
    pub(crate) fn by_nobody(mut self) -> Job {
        self.user = rustix::process::geteuid().is_root().then_some(65534);
        self
    }

    /// Runs the job to its end, after which none of its processes may be left.
    pub(crate) fn run(self) -> Ended {
        self.start().wait()
    }

    /// Starts the job.
    pub(crate) fn start(self) -> Running {
        let desk = tempfile::tempdir().unwrap();
        fs::set_permissions(desk.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let mark = desk.path().to_string_lossy().into_owned();
        let folder = self.folder.as_deref().unwrap_or(desk.path());
        let mut command = processes::command(self.binary_for_user(desk.path()));
        command.args(self.args).env_clear().envs(self.env).current_dir(folder);
        command.env(MARK, &mark).env("KILN_RESULT_FILE", desk.path().join("result.json"));
        command.stdin(Stdio::null()).stdout(self.stdout).stderr(self.stderr);
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        let mut child = command.spawn().unwrap();
        let stdout = Text::read(child.stdout.take());
        let stderr = Text::read(child.stderr.take());
        Running { pid: child.id(), exit: exit_of(child), stdout, stderr, desk, mark }
    }

    /// Another user may not be able to access the build folder of cargo.
    fn binary_for_user(&self, desk: &Path) -> PathBuf {
        if self.user.is_none() {
            return self.binary.clone();
        }
        let copy = desk.join("job");
        // Another program copies the file. If it were open for writing in this process, a child that
        // another test starts at this moment would inherit the descriptor, and a file that is open for
        // writing cannot be executed.
        let copied = Command::new("cp").arg(&self.binary).arg(&copy).status().unwrap();
        assert!(copied.success());
        fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).unwrap();
        copy
    }
}

/// A running job. When it is dropped, all of its processes are killed.
pub(crate) struct Running {
    pid: u32,
    exit: mpsc::Receiver<ExitStatus>,
    stdout: Arc<Text>,
    stderr: Arc<Text>,
    desk: TempDir,
    mark: String,
}

impl Running {
    /// The process id of the driver.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// The process ids of its executors, in ascending order.
    pub(crate) fn executors(&self) -> Vec<u32> {
        processes::marked(&self.mark).into_iter().filter(|pid| *pid != self.pid).collect()
    }

    /// Sends `signal` to the driver.
    pub(crate) fn signal(&self, signal: Signal) {
        send(self.pid, signal);
    }

    /// Waits until a signal has stopped the driver.
    pub(crate) fn wait_until_stopped(&self) {
        let is_stopped = || {
            let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap_or_default();
            // The state follows the name in parentheses.
            stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T'))
        };
        let end = Instant::now() + LIMIT;
        while !is_stopped() {
            assert!(Instant::now() < end, "it is not stopped; it said:\n{}", self.stderr.so_far());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits until standard error contains `text`.
    pub(crate) fn says(&self, text: &str) {
        assert!(self.stderr.holds(text, LIMIT), "`{text}` is not in\n{}", self.stderr.so_far());
    }

    /// Waits for the end of the job. None of its processes may be left then.
    pub(crate) fn wait(self) -> Ended {
        self.wait_with(AFTERLIFE)
    }

    /// The same, but its processes may take until `afterlife` to exit.
    pub(crate) fn wait_with(self, afterlife: Duration) -> Ended {
        let Ok(status) = self.exit.recv_timeout(LIMIT) else {
            panic!("the job runs for more than {LIMIT:?}; it said:\n{}", self.stderr.so_far());
        };
        let ended_at = Instant::now();
        let left = processes::left_after(&self.mark, afterlife);
        assert!(left.is_empty(), "{left:?} are left; the job said:\n{}", self.stderr.so_far());
        let (stdout, stderr) = (self.stdout.whole(), self.stderr.whole());
        let result = fs::read_to_string(self.desk.path().join("result.json")).ok();
        Ended { status, stdout, stderr, result, ended_at }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        processes::marked(&self.mark).into_iter().for_each(|pid| send(pid, Signal::KILL));
    }
}

/// Sends `signal` to a process that may have exited.
pub(crate) fn send(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}

/// The outcome of a job.
pub(crate) struct Ended {
    status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// The text of the result file.
    pub(crate) result: Option<String>,
    /// When the exit was noticed.
    pub(crate) ended_at: Instant,
}

impl Ended {
    /// The exit code; `None` if a signal ended the job.
    pub(crate) fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// The signal that ended the job, if any.
    pub(crate) fn killed_by(&self) -> Option<i32> {
        self.status.signal()
    }

    /// The result file as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        let text =
            self.result.as_deref().unwrap_or_else(|| panic!("no result file; it said:\n{}", self.stderr));
        serde_json::from_str(text).unwrap()
    }

    /// The lines that contain `error[`.
    pub(crate) fn errors(&self) -> Vec<&str> {
        self.stderr.lines().filter(|line| line.contains("error[")).collect()
    }

    /// Fails unless the job succeeded.
    #[track_caller]
    pub(crate) fn ok(self) -> Ended {
        self.exits(0);
        assert_eq!(self.errors(), Vec::<&str>::new());
        self
    }

    /// Fails unless the exit code is `code`.
    #[track_caller]
    pub(crate) fn exits(&self, code: i32) {
        let said = format!("stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        assert_eq!(self.code(), Some(code), "killed by {:?}; {said}", self.killed_by());
    }

    /// Fails unless the job ended with `code` and one message of class `class` that contains `words`,
    /// both on standard error and in the result.
    #[track_caller]
    pub(crate) fn fails(&self, code: i32, class: &str, words: &[&str]) {
        self.exits(code);
        let errors = self.errors();
        assert_eq!(errors.len(), 1, "one message is wanted:\n{}", self.stderr);
        assert!(errors[0].starts_with(&format!("error[{class}]: ")), "{}", errors[0]);
        let result = self.json();
        assert_eq!((&result["status"], &result["class"]), (&"failed".into(), &class.into()));
        assert_eq!(result["outputs"], serde_json::json!([]));
        let message = result["message"].as_str().unwrap();
        for word in words {
            assert!(self.stderr.contains(word), "`{word}` is not in\n{}", self.stderr);
            assert!(message.contains(word), "`{word}` is not in\n{message}");
        }
        let last = self.stderr.lines().last().unwrap_or_default();
        assert!(last.starts_with(&format!("FAILED {class}")), "the last line is {last}");
        assert!(!self.stderr.contains("panicked at"), "the runtime's own text:\n{}", self.stderr);
    }
}

/// Sends the exit status of `child` when it has exited.
fn exit_of(mut child: Child) -> mpsc::Receiver<ExitStatus> {
    let (done, exit) = mpsc::channel();
    std::thread::spawn(move || done.send(child.wait().unwrap()));
    exit
}

/// The text of a stream so far.
#[derive(Default)]
struct Text {
    state: Mutex<(Vec<u8>, bool)>,
    grown: Condvar,
}

impl Text {
    fn read(stream: Option<impl Read + Send + 'static>) -> Arc<Text> {
        let text = Arc::new(Text::default());
        let (into, mut block) = (Arc::clone(&text), [0; 4096]);
        std::thread::spawn(move || {
            let mut stream = stream;
            while let Some(count) = stream.as_mut().and_then(|s| s.read(&mut block).ok()).filter(|n| *n > 0) {
                into.state.lock().unwrap().0.extend_from_slice(&block[..count]);
                into.grown.notify_all();
            }
            into.state.lock().unwrap().1 = true;
            into.grown.notify_all();
        });
        text
    }

    fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.state.lock().unwrap().0).into_owned()
    }

    /// Waits until the text contains `part`; returns whether it does.
    fn holds(&self, part: &str, limit: Duration) -> bool {
        let found = |state: &(Vec<u8>, bool)| String::from_utf8_lossy(&state.0).contains(part);
        let state = self.state.lock().unwrap();
        let (state, _) = self.grown.wait_timeout_while(state, limit, |s| !found(s) && !s.1).unwrap();
        found(&state)
    }

    /// The whole text, after all writers of the stream have exited.
    fn whole(&self) -> String {
        let state = self.state.lock().unwrap();
        let (state, late) = self.grown.wait_timeout_while(state, LIMIT, |s| !s.1).unwrap();
        assert!(!late.timed_out(), "someone keeps a stream of the job open");
        String::from_utf8_lossy(&state.0).into_owned()
    }
}
