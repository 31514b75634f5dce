//! A Kiln job as a task of real schedulers, which try it again when its worker dies: Airflow, Luigi, Dagster and Metaflow.
//!
//! The job appends to its output, so that a row which is published twice shows. README.md has the command.

#![allow(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

#[path = "schedulers/airflow.rs"]
mod airflow;
#[path = "schedulers/commands.rs"]
mod commands;
#[path = "schedulers/desk.rs"]
mod desk;
#[path = "support/folder.rs"]
mod folder;
#[path = "support/job.rs"]
mod job;
#[path = "support/processes.rs"]
mod processes;
#[path = "support/s3.rs"]
mod s3;
#[path = "support/table.rs"]
mod table;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use airflow::Airflow;
use commands::Commands;
use desk::{Desk, rows_from};
use job::send;
use rustix::process::Signal;

/// The variable that names the folder of `install.sh`.
const FOLDER: &str = "KILN_SCHEDULERS";
/// How long a scheduler waits before it tries a task again: long enough for an old attempt to publish before.
const RETRY_SECONDS: u32 = 5;
/// How long a scheduler may take for a run or for its start.
const LONG: Duration = Duration::from_secs(240);
/// How often it is asked.
const LOOK: Duration = Duration::from_millis(200);
/// How long a job may go on without its caller.
const ORPHAN: Duration = Duration::from_secs(5);
/// One scheduler at a time: each of them needs the whole machine.
static TURN: Mutex<()> = Mutex::new(());

/// A scheduler with one task, whose job is that of a [`Desk`].
trait Scheduler {
    /// Starts a run. `keeps_name`: its run id is to be one that remains when the run is started again.
    fn start(&mut self, desk: &Desk, keeps_name: bool);
    /// Starts the same run again, as its users do when they want its task to be executed once more.
    fn again(&mut self, desk: &Desk);
    /// Starts again, after the loss of the worker, what does not start by itself.
    fn restart(&mut self, desk: &Desk);
    /// Waits for the end of the run; whether it went well.
    fn is_green(&mut self) -> bool;
    /// The process that survives the loss of a worker.
    fn server(&self) -> u32;
}

/// A program of a scheduler's environment.
fn program(scheduler: &str, name: &str) -> PathBuf {
    let help = format!(
        "{scheduler} is needed: `tests/schedulers/install.sh FOLDER` installs it, and {FOLDER}=FOLDER tells this test"
    );
    let folder = std::env::var(FOLDER).unwrap_or_else(|_| panic!("{help}"));
    let program = Path::new(&folder).join(scheduler).join("bin").join(name);
    assert!(program.exists(), "{help}");
    program
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("schedulers").join(name)
}

#[track_caller]
fn wait_long(what: &str, holds: impl Fn() -> bool) {
    let end = Instant::now() + LONG;
    while !holds() {
        assert!(Instant::now() < end, "waited {LONG:?} for this: {what}");
        std::thread::sleep(LOOK);
    }
}

/// The processes from that of a job up to the scheduler's `server`, which is left out: the job, its shells, the process
/// that runs the task, and its worker.
fn chain(job: u32, server: u32) -> Vec<u32> {
    let above = std::iter::successors(Some(job), |pid| processes::parent(*pid));
    above.take_while(|pid| *pid != server && *pid > 1).collect()
}

/// The process that runs the task: the first above the job that is a Python.
fn runner(job: u32, server: u32) -> u32 {
    let is_python = |pid: &u32| {
        let program = std::fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
        program.file_name().is_some_and(|name| name.to_string_lossy().starts_with("python"))
    };
    chain(job, server).into_iter().find(is_python).expect("a Python runs the task")
}

fn kill(pid: u32) {
    send(pid, Signal::KILL);
}

fn check_all(mut scheduler: impl Scheduler) {
    let checks: [(&str, fn(&mut dyn Scheduler)); 5] = [
        ("a run that is started again", a_run_that_is_started_again_reads_its_source_once),
        ("an orphan", an_orphan_ends_and_its_retry_publishes),
        ("an old attempt", an_old_attempt_that_lives_on_is_fenced_by_its_retry),
        ("a lost runner", a_retry_of_an_attempt_that_has_published_alone_is_green),
        ("a lost worker", a_retry_after_the_loss_of_the_worker_is_green),
    ];
    for (name, check) in checks {
        let begun = Instant::now();
        check(&mut scheduler);
        println!("{name}: {:.1} s", begun.elapsed().as_secs_f64());
    }
}

fn a_run_that_is_started_again_reads_its_source_once(scheduler: &mut dyn Scheduler) {
    let desk = Desk::new();
    scheduler.start(&desk, true);
    assert!(scheduler.is_green());
    assert!(desk.reads() > 0);
    scheduler.again(&desk);
    assert!(scheduler.is_green());
    assert_eq!(desk.codes(), [Some(0), Some(0)]);
    assert_eq!(desk.reads(), 0, "the source is read once");
    assert_eq!(desk.rows(), rows_from(0));
    let runs = [0, 1].map(|number| desk.result(number)["run_id"].clone());
    assert_eq!(runs[0], runs[1]);
}

fn an_orphan_ends_and_its_retry_publishes(scheduler: &mut dyn Scheduler) {
    let desk = Desk::new();
    let held = desk.hold();
    scheduler.start(&desk, false);
    held.wait();
    let killed = Instant::now();
    kill(runner(desk.job(0), scheduler.server()));
    assert_eq!(desk.code(0), 143);
    assert!(killed.elapsed() < ORPHAN, "it went on for {:?}", killed.elapsed());
    assert_eq!(desk.result(0)["reason"], "parent_ended");
    desk.let_go();
    assert!(scheduler.is_green());
    assert_eq!(desk.codes(), [Some(143), Some(0)]);
    assert_eq!(desk.rows(), rows_from(0));
}

fn an_old_attempt_that_lives_on_is_fenced_by_its_retry(scheduler: &mut dyn Scheduler) {
    let desk = Desk::new();
    desk.tell_all("KILN_ORPHAN", "keep");
    desk.tell_first("KILN_FAILPOINT", "commit.ready=stop");
    scheduler.start(&desk, false);
    let old = desk.stopped(0);
    kill(runner(old, scheduler.server()));
    desk.input(10_000);
    assert!(scheduler.is_green());
    assert_eq!(desk.rows(), rows_from(10_000), "the retry has published");
    assert!(processes::is_stopped(old), "the old attempt is alive");
    send(old, Signal::CONT);
    assert_eq!(desk.code(0), 73);
    assert_eq!((desk.codes(), desk.rows()), (vec![Some(73), Some(0)], rows_from(10_000)));
    let [old, new] = [0, 1].map(|number| desk.result(number));
    assert_eq!((&old["class"], &old["run_id"]), (&"fenced".into(), &new["run_id"]));
}

fn a_retry_of_an_attempt_that_has_published_alone_is_green(scheduler: &mut dyn Scheduler) {
    let desk = Desk::new();
    desk.tell_all("KILN_ORPHAN", "keep");
    desk.tell_first("KILN_FAILPOINT", "commit.ready=stop");
    scheduler.start(&desk, false);
    let orphan = desk.stopped(0);
    kill(runner(orphan, scheduler.server()));
    send(orphan, Signal::CONT);
    assert_eq!(desk.code(0), 0);
    assert!(!desk.has_started(1), "the orphan publishes before its retry begins");
    assert!(desk.reads() > 0);
    assert!(scheduler.is_green());
    assert_eq!((desk.codes(), desk.reads()), (vec![Some(0), Some(0)], 0));
    assert_eq!(desk.rows(), rows_from(0));
    assert_eq!(desk.result(0)["outputs"], desk.result(1)["outputs"]);
}

fn a_retry_after_the_loss_of_the_worker_is_green(scheduler: &mut dyn Scheduler) {
    // Killed before the commit, and after it: then the rows are the lost attempt's.
    for (step, offset) in [("commit.ready", 10_000), ("commit.published", 0)] {
        let desk = Desk::new();
        desk.tell_first("KILN_FAILPOINT", &format!("{step}=stop"));
        scheduler.start(&desk, true);
        let job = desk.stopped(0);
        // From the worker down, so that none of them sees another one end.
        chain(job, scheduler.server()).into_iter().rev().for_each(kill);
        desk.input(10_000);
        scheduler.restart(&desk);
        assert!(scheduler.is_green(), "{step}");
        assert_eq!(desk.rows(), rows_from(offset), "{step}");
        // Luigi looks for the output before it starts a job.
        let is_found = step == "commit.published" && desk.codes() == [None];
        assert!(desk.codes() == [None, Some(0)] || is_found, "{step}: {:?}", desk.codes());
    }
}

#[test]
fn airflow_publishes_once_whatever_dies() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    check_all(Airflow::start());
}

#[test]
fn luigi_publishes_once_whatever_dies() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    check_all(Commands::of("luigi"));
}

#[test]
fn dagster_publishes_once_whatever_dies() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    check_all(Commands::of("dagster"));
}

#[test]
fn metaflow_publishes_once_whatever_dies() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    check_all(Commands::of("metaflow"));
}
