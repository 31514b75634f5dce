//! One task of a scheduler as a test sees it: what its job is told, what it reads, and how each start of it has ended.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use super::job::send;
use super::processes::{self, MARK};
use super::s3::{BUCKET, Held, Request, S3};
use super::table;
use super::wait_long;

/// What the job reads.
const INPUT: &str = "in/lines.csv";
/// Rows of the input.
const ROWS: u64 = 600;

/// The variable that turns a protection off.
const SABOTAGE: &str = "KILN_SABOTAGE";

/// The folder that `job.sh` works in, and the server that has the input of the job.
pub(crate) struct Desk {
    folder: TempDir,
    s3: S3,
}

impl Desk {
    /// A desk whose job appends the input's rows, so that a second publish shows.
    pub(crate) fn new() -> Desk {
        let desk = Desk { folder: tempfile::tempdir().unwrap(), s3: S3::start() };
        let (key, secret) = desk.s3.keys_of_user();
        let settings = [
            ("KILN_TEST_JOB", env!("CARGO_BIN_EXE_copy").to_owned()),
            ("KILN_TEST_INPUT", format!("s3://{BUCKET}/{INPUT}")),
            ("KILN_CLUSTER", "local[2]".to_owned()),
            ("KILN_MODE", "append".to_owned()),
            ("AWS_ENDPOINT", desk.s3.endpoint()),
            ("AWS_ALLOW_HTTP", "true".to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", key.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", secret.to_owned()),
        ];
        settings.iter().for_each(|(name, value)| desk.tell("every.env", name, value));
        // So that a test can be seen to fail without the fence.
        if let Ok(sabotage) = std::env::var(SABOTAGE) {
            desk.tell_all(SABOTAGE, &sabotage);
        }
        desk.input(0);
        desk
    }

    /// Tells every start of the job.
    pub(crate) fn tell_all(&self, name: &str, value: &str) {
        self.tell("every.env", name, value);
    }

    /// Tells the first start of the job.
    pub(crate) fn tell_first(&self, name: &str, value: &str) {
        self.tell("start.0.env", name, value);
    }

    fn tell(&self, file: &str, name: &str, value: &str) {
        let mut text = fs::read_to_string(self.path().join(file)).unwrap_or_default();
        writeln!(text, "{name}='{value}'").unwrap();
        fs::write(self.path().join(file), text).unwrap();
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn text(&self) -> String {
        self.path().display().to_string()
    }

    /// Makes the numbers from `offset` on the input.
    pub(crate) fn input(&self, offset: u64) {
        let lines: String = (offset..offset + ROWS).map(|n| format!("{n},a\n")).collect();
        self.s3.put(INPUT, &format!("n,text\n{lines}"));
    }

    /// Holds the next read of the input.
    pub(crate) fn hold(&self) -> Held {
        self.s3.hold_get(INPUT)
    }

    /// Lets it go on.
    pub(crate) fn let_go(&self) {
        self.s3.let_go();
    }

    /// How often content of the input was asked for since this was called last. That it is listed is no read.
    pub(crate) fn reads(&self) -> usize {
        let is_read = |request: &&Request| request.key == INPUT && request.method != "HEAD";
        self.s3.requests().iter().filter(is_read).count()
    }

    /// Whether the job was started `number` times before.
    pub(crate) fn has_started(&self, number: u32) -> bool {
        self.start(number).is_dir()
    }

    /// The process of a start of the job, once there is one.
    pub(crate) fn job(&self, number: u32) -> u32 {
        let mark = self.start(number).display().to_string();
        wait_long("the job runs", || !processes::marked(&mark).is_empty());
        processes::marked(&mark)[0]
    }

    /// Waits until the job has stopped itself, and gives its process.
    pub(crate) fn stopped(&self, number: u32) -> u32 {
        let pid = self.job(number);
        wait_long("the job is stopped", || processes::is_stopped(pid));
        pid
    }

    /// The exit code of a start, once it has ended.
    pub(crate) fn code(&self, number: u32) -> i32 {
        let file = self.start(number).join("code");
        wait_long("the job has ended", || file.exists());
        fs::read_to_string(file).unwrap().trim().parse().unwrap()
    }

    /// The exit codes of all starts; of one that was killed with its shell there is none.
    pub(crate) fn codes(&self) -> Vec<Option<i32>> {
        let code = |number| fs::read_to_string(self.start(number).join("code")).ok();
        (0..)
            .take_while(|number| self.has_started(*number))
            .map(code)
            .map(|c| c?.trim().parse().ok())
            .collect()
    }

    /// The result of a start.
    pub(crate) fn result(&self, number: u32) -> Value {
        serde_json::from_slice(&fs::read(self.start(number).join("result.json")).unwrap()).unwrap()
    }

    /// How many numbers are published, and their sum.
    pub(crate) fn rows(&self) -> (usize, u64) {
        let numbers = table::column(&self.path().join("out/rows"), "n");
        (numbers.len(), numbers.iter().sum())
    }

    fn start(&self, number: u32) -> PathBuf {
        self.path().join(format!("start.{number}"))
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        (0..).take_while(|number| self.has_started(*number)).for_each(|number| {
            kill_marked(&self.start(number));
        });
    }
}

/// What [`Desk::rows`] says of one publish of the input from `offset` on.
pub(crate) fn rows_from(offset: u64) -> (usize, u64) {
    (ROWS as usize, (offset..offset + ROWS).sum())
}

/// Kills every process that inherits the mark `folder`.
pub(crate) fn kill_marked(folder: &Path) {
    processes::marked(&folder.display().to_string()).into_iter().for_each(|pid| send(pid, Signal::KILL));
}

/// The variable by which the processes of a scheduler are found.
pub(crate) fn mark(folder: &Path) -> (&'static str, String) {
    (MARK, folder.display().to_string())
}
