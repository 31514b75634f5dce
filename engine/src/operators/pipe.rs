//! `pipe`: sends the lines of each partition through an external command.
//!
//! There is one process per partition. One thread feeds it and another reads its output, so there is no
//! deadlock if it answers before it has read all lines, or does not answer at all. The process leads
//! its own process group, which is killed when the task ends early for any reason.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use kiln_planner::Site;

use crate::chain::{Chain, RowConsumer, Step};
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::ship::closure::Closure;
use crate::ship::params::{ParamReader, ParamWriter, Ship};
use crate::task::{Task, aside};

mod lines;
mod process;

use lines::{LineSink, ReadTo, read_lines};
use process::{Group, Started};

/// Interval at which a task checks whether it was cancelled, to kill its process.
const WATCH: Duration = Duration::from_millis(20);

impl<C: Chain<Out = String>> Dataset<String, C> {
    /// Sends the rows of each partition as lines to the standard input of a new process; the lines of
    /// its standard output are the new rows. The command is started without a shell and found through
    /// `PATH`, on every executor. It also runs for empty partitions. It need not read all lines.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(1);
    /// let lines = cx.parallelize(["b 2", "a 1"].map(String::from));
    /// assert_eq!(lines.pipe("sed", ["s/ .*//"]).collect()?, ["b", "a"]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// The action fails with a config error when the command cannot be found, auth when it may not be
    /// executed, bug when it exits with a code other than 0 or is killed by a signal (with the last
    /// lines of its standard error), and data when a line of its output is not UTF-8 or longer than 64
    /// MiB.
    #[track_caller]
    pub fn pipe<A: Into<String>>(
        self,
        command: impl Into<String>,
        args: impl IntoIterator<Item = A>,
    ) -> Dataset<String, Pipe<C>> {
        let none: [(String, String); 0] = [];
        self.pipe_env(command, args, none)
    }

    /// [`pipe`](Dataset::pipe) with environment variables for the command, in addition to those of the
    /// process that starts it. If a name is repeated, its last value is used.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(1);
    /// let lines = cx.parallelize(["a".to_owned()]);
    /// let greeted = lines.pipe_env("sh", ["-c", "sed \"s/^/$GREETING /\""], [("GREETING", "hello")]);
    /// assert_eq!(greeted.collect()?, ["hello a"]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As for [`pipe`](Dataset::pipe), and config when a name is empty or contains `=` or a zero byte,
    /// or a value contains a zero byte.
    #[track_caller]
    pub fn pipe_env<A: Into<String>, N: Into<String>, V: Into<String>>(
        self,
        command: impl Into<String>,
        args: impl IntoIterator<Item = A>,
        env: impl IntoIterator<Item = (N, V)>,
    ) -> Dataset<String, Pipe<C>> {
        let words = std::iter::once(command.into()).chain(args.into_iter().map(A::into));
        let env: Arc<[Variable]> = env.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        let (site, wrong) = (Site::caller(), env.iter().find_map(env_error));
        let error = wrong.map(|error| error.at("line", &site));
        let pipe = Pipe { chain: self.chain, command: words.collect(), env, site };
        Dataset::over(pipe, self.origin.moved().failing(error))
    }
}

/// Name and value of an environment variable.
type Variable = (String, String);

/// The error if a variable cannot be set. It does not show the value, which may be a secret.
fn env_error((name, value): &Variable) -> Option<Error> {
    let name_is_sound = !name.is_empty() && !name.contains(['=', '\0']);
    let error = || Error::config(format!("pipe_env: {name:?} cannot be set for the command"));
    let help = "a name is not empty and has no `=`; neither a name nor its value has a zero byte";
    (!name_is_sound || value.contains('\0')).then(|| error().help(help))
}

/// The chain `C`, followed by a command.
#[derive(Clone)]
pub struct Pipe<C> {
    chain: C,
    /// The program and its arguments.
    command: Arc<[String]>,
    /// Environment variables in addition to those of this process.
    env: Arc<[Variable]>,
    site: Site,
}

impl<C: Ship> Ship for Pipe<C> {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        self.chain.ship(params)?;
        params.put(&(&*self.command, &*self.env, &self.site))
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        let chain = C::rebuild(params)?;
        let (command, env, site): (Vec<String>, Vec<Variable>, Site) = params.take()?;
        Ok(Pipe { chain, command: command.into(), env: env.into(), site })
    }
}

impl<C: Chain<Out = String>> Chain for Pipe<C> {
    type Out = String;

    fn drive<S: RowConsumer<String>>(&self, task: &Task<'_>, sink: &mut S) -> Result<()> {
        self.run(task, sink)
            .map_err(|error| error.at("command", self.command.join(" ")).at("line", &self.site))
    }

    fn steps(&self, steps: &mut Vec<Step>) {
        self.chain.steps(steps);
        steps.push(Step::new(format!("pipe {}", self.command.join(" ")), &self.site));
    }

    fn source_bytes(&self) -> u64 {
        self.chain.source_bytes()
    }

    fn closures(&self, closures: &mut Vec<Closure>) {
        self.chain.closures(closures);
    }
}

impl<C: Chain<Out = String>> Pipe<C> {
    /// Runs the command for the task's partition.
    fn run<S: RowConsumer<String>>(&self, task: &Task<'_>, sink: &mut S) -> Result<()> {
        let Started { process, stdin, stdout, stderr } = Started::new(&self.command, &self.env)?;
        let (group, cancelled) = (process.group(), &*task.env.cancelled);
        let feed = |task: &Task<'_>| {
            let mut lines = LineSink::new(stdin);
            // Dropped before the sink, whose drop would wait for the process to read its last lines.
            let _guard = group.killed_by_a_panic();
            match self.chain.drive(task, &mut lines) {
                Ok(()) => lines.finish(),
                Err(error) => {
                    // Kill it, so that it neither answers for a part of its input nor waits for the
                    // rest.
                    group.kill();
                    Err(error)
                }
            }
        };
        let (outcome, tail) = std::thread::scope(|scope| {
            let tail = scope.spawn(|| process::last_lines(stderr));
            let (_done, watched) = channel();
            scope.spawn(move || watch(&watched, cancelled, group));
            let outcome = aside(task, feed, || {
                let _guard = group.killed_by_a_panic();
                let read = read_lines(stdout, sink);
                // Nobody reads its output any more, so kill it instead of letting it block on a full
                // pipe.
                if !matches!(read, Ok(ReadTo::End)) {
                    group.kill();
                }
                read
            });
            // The feeding thread did not start, so the process would wait for input.
            outcome.as_ref().err().into_iter().for_each(|_| group.kill());
            (outcome, tail.join().unwrap_or_default())
        });
        let status = process.wait(cancelled)?;
        task.check()?;
        let (fed, read) = outcome?;
        fed?;
        match read? {
            ReadTo::End => process::succeeded(status, tail),
            ReadTo::Enough => Ok(()),
        }
    }
}

/// Kills the process when its task is cancelled; returns when `done` is closed.
fn watch(done: &Receiver<()>, cancelled: &AtomicBool, group: Group) {
    while done.recv_timeout(WATCH) == Err(RecvTimeoutError::Timeout) {
        if cancelled.load(Ordering::Relaxed) {
            return group.kill();
        }
    }
}
