//! One run of a job binary: its identity, and the facts that it reports.
//!
//! Sinks, the driver and the job's own code add facts while they work; `exit` and `result` read them
//! once at the end. There is one run per process, shared by all of its actions, so that three writes
//! give one report.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::accumulators::Accumulators;
use super::bottleneck::{Bottleneck, Times};
use super::callbacks::Cleanup;
use super::cancel::Cancel;
use super::checks::CheckResult;
use super::commit::{CommitGuard, Commits};
use super::identity::Identity;
use super::listeners::Listeners;
use super::lock;
use super::options::RunOptions;
use super::progress::Progress;
use crate::error::Result;

/// An output that a sink has published.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// Its location, for example `file:///data/counts`.
    pub uri: String,
    /// Number of partitions of the dataset that were written.
    pub partitions: u64,
    /// Number of data files.
    pub files: u64,
    /// Number of rows in them.
    pub rows: u64,
    /// Size of all files.
    pub bytes: u64,
    /// Number of rows in each partition of the output's layout that was written, by name:
    /// `day=2026-03-02`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub partition_rows: BTreeMap<String, u64>,
}

/// An input that a source has read: the list of its files when the job was planned.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// The address in the job's code.
    pub uri: String,
    /// Number of files.
    pub files: u64,
    /// Size of all files.
    pub bytes: u64,
    /// A hash of the sorted list of addresses, sizes and versions, in hexadecimal. Equal lists have
    /// equal hashes.
    pub hash: String,
}

/// The facts that a run has collected for its report.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Inputs, in the order of planning.
    pub inputs: Vec<Input>,
    /// Outputs, in the order of publishing.
    pub outputs: Vec<Output>,
    /// What came of the checks of outputs, also of those that were not published for that.
    pub checks: Vec<CheckResult>,
    /// The job's own counters by name.
    pub counters: BTreeMap<String, u64>,
    /// Signed counters, by name.
    pub counters_i64: BTreeMap<String, i64>,
    /// Float counters, by name.
    pub counters_f64: BTreeMap<String, f64>,
    /// Number of task attempts that had to be repeated.
    pub retries: u32,
    /// The version that the last publish created, if the sink has versions.
    pub version: Option<u64>,
    /// What limited the run most, if its tasks took long enough to tell.
    pub bottleneck: Option<Bottleneck>,
    /// Why there was nothing to do, if the job reported that.
    pub skipped: Option<String>,
    /// Whether a commit has ended or was abandoned with an unknown outcome.
    pub is_unresolved: bool,
}

/// Counts with this number and those after it are times of tasks in nanoseconds, one number for each resource.
pub(crate) const TIMES: u32 = u32::MAX - 15;

/// One run of a job binary, shared by the whole process.
pub struct Run {
    identity: Identity,
    started: Instant,
    facts: Mutex<Facts>,
    /// Names of the counters that closures update, indexed by id.
    counters: Mutex<Vec<String>>,
    /// Other accumulators that closures update.
    pub(crate) accumulators: Accumulators,
    /// What the time of tasks was spent on.
    pub(crate) times: Times,
    /// Number of writes that the run has begun, by address.
    writes: Mutex<BTreeMap<String, u32>>,
    /// Addresses of the checkpoints.
    checkpoints: Mutex<BTreeSet<String>>,
    ending: AtomicBool,
    /// The exit code, once it is decided.
    code: OnceLock<u8>,
    /// The command line without the run id and the attempt, once it has been parsed.
    arguments: OnceLock<Vec<OsString>>,
    /// Listeners for the result.
    pub(super) listeners: Listeners,
    options: RunOptions,
    commits: Arc<Commits>,
    /// The cancellation state of the run.
    pub cancel: Cancel,
    /// Cleanups for the end of the run.
    pub cleanup: Cleanup,
    /// The progress display.
    pub progress: Progress,
}

impl Run {
    /// The run of this process, with identity and options from the environment.
    ///
    /// # Errors
    /// Fails with a config error when a variable cannot be parsed.
    pub fn from_env() -> Result<Arc<Run>> {
        let options = RunOptions::from_env(&|name| std::env::var(name).ok())?;
        Ok(Run::with_options(Identity::from_env()?, options, Progress::from_env()))
    }

    /// A run with the id `run_id` that displays its progress in `progress`.
    pub fn new(run_id: impl Into<String>, progress: Progress) -> Arc<Run> {
        Run::with_identity(Identity::random_named(run_id), progress)
    }

    /// A run with an identity that displays its progress in `progress`.
    pub fn with_identity(identity: Identity, progress: Progress) -> Arc<Run> {
        Run::with_options(identity, RunOptions::default(), progress)
    }

    /// A run with an identity and options that displays its progress in `progress`.
    pub fn with_options(identity: Identity, options: RunOptions, progress: Progress) -> Arc<Run> {
        Arc::new(Run {
            identity,
            options,
            commits: Arc::default(),
            started: Instant::now(),
            facts: Mutex::default(),
            counters: Mutex::default(),
            accumulators: Accumulators::default(),
            times: Times::default(),
            writes: Mutex::default(),
            checkpoints: Mutex::default(),
            ending: AtomicBool::new(false),
            code: OnceLock::new(),
            arguments: OnceLock::new(),
            listeners: Listeners::default(),
            cancel: Cancel::default(),
            cleanup: Cleanup::default(),
            progress,
        })
    }

    /// The run id in the result JSON.
    pub fn run_id(&self) -> &str {
        &self.identity.run_id
    }

    /// The run id and attempt.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The options that the caller has set.
    pub fn options(&self) -> &RunOptions {
        &self.options
    }

    /// Begins a commit. While the guard lives, a cancellation waits up to [`RunOptions::commit_grace`]
    /// before it ends the process by force.
    ///
    /// Call [`Run::published`] before the guard is dropped, so that a cancellation in between reports
    /// the output. Call [`CommitGuard::unresolved`] if the outcome of the commit is unknown.
    ///
    /// # Errors
    /// Fails with an error of class cancelled when the run was cancelled, in which case the commit does
    /// not begin.
    pub fn committing(&self) -> Result<CommitGuard> {
        self.commits.begin(&self.cancel)
    }

    /// The arguments for starting the same job again, as another attempt or run.
    pub(crate) fn arguments(&self) -> Vec<OsString> {
        self.arguments.get().cloned().unwrap_or_else(|| std::env::args_os().skip(1).collect())
    }

    /// Sets [`arguments`](Run::arguments).
    pub(super) fn set_arguments(&self, arguments: Vec<OsString>) {
        let _ = self.arguments.set(arguments);
    }

    /// The commits in progress.
    pub(super) fn commits(&self) -> &Commits {
        &self.commits
    }

    /// Time since the start of the run.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Reports that `output` is published. Call it after the commit, never before.
    pub fn published(&self, output: Output) {
        lock(&self.facts).outputs.push(output);
    }

    /// Records an input. A repeated input is recorded once.
    pub fn read(&self, input: Input) {
        let mut facts = lock(&self.facts);
        if !facts.inputs.contains(&input) {
            facts.inputs.push(input);
        }
    }

    /// Reports what came of the checks of an output, before it is published or is not.
    pub fn checked(&self, results: impl IntoIterator<Item = CheckResult>) {
        lock(&self.facts).checks.extend(results);
    }

    /// Says which version the publish made.
    pub fn published_version(&self, version: u64) {
        lock(&self.facts).version = Some(version);
    }

    /// Adds `delta` to the job's counter `name`.
    pub fn count(&self, name: &str, delta: u64) {
        let mut facts = lock(&self.facts);
        let counter = facts.counters.entry(name.to_owned()).or_default();
        *counter = counter.saturating_add(delta);
    }

    /// Registers the counter `name`, which then appears in the result, and returns its id.
    pub(crate) fn counter(&self, name: &str) -> u32 {
        self.count(name, 0);
        let mut names = lock(&self.counters);
        let at = names.iter().position(|known| known == name).unwrap_or_else(|| {
            names.push(name.to_owned());
            names.len() - 1
        });
        at as u32
    }

    /// Adds the counts of tasks.
    pub(crate) fn add_counts(&self, counts: &[(u32, u64)]) {
        for (id, delta) in counts {
            if let Some(resource) = id.checked_sub(TIMES) {
                self.times.add(resource as usize, *delta);
                continue;
            }
            let name = lock(&self.counters).get(*id as usize).cloned();
            name.iter().for_each(|name| self.count(name, *delta));
        }
    }

    /// The value of a counter.
    pub(crate) fn counter_value(&self, id: u32) -> u64 {
        let name = lock(&self.counters).get(id as usize).cloned();
        name.and_then(|name| lock(&self.facts).counters.get(&name).copied()).unwrap_or(0)
    }

    /// Adds `count` attempts that had to be repeated.
    pub fn add_retries(&self, count: u32) {
        let mut facts = lock(&self.facts);
        facts.retries = facts.retries.saturating_add(count);
    }

    /// The index of the run's next write to `uri`, starting at 0.
    pub(crate) fn next_write(&self, uri: &str) -> u32 {
        let mut writes = lock(&self.writes);
        let next = writes.entry(uri.to_owned()).or_default();
        *next += 1;
        *next - 1
    }

    /// Number of writes to `uri` that the run has begun.
    pub(crate) fn writes_to(&self, uri: &str) -> u32 {
        lock(&self.writes).get(uri).copied().unwrap_or(0)
    }

    /// Restores the counters of an earlier attempt that published the output, because a retry does not
    /// count them again.
    pub(crate) fn restore_counts(&self, counters: &BTreeMap<String, u64>) {
        let mut facts = lock(&self.facts);
        for (name, count) in counters {
            let counter = facts.counters.entry(name.clone()).or_default();
            *counter = (*counter).max(*count);
        }
    }

    /// Whether the run has written a checkpoint to `uri`.
    pub(crate) fn has_checkpoint(&self, uri: &str) -> bool {
        lock(&self.checkpoints).contains(uri)
    }

    /// Records that the run has written a checkpoint to `uri`.
    pub(crate) fn add_checkpoint(&self, uri: &str) {
        lock(&self.checkpoints).insert(uri.to_owned());
    }

    /// Reports that there is nothing to do. Unless the job fails or publishes, it exits with code 99.
    pub fn skip(&self, message: impl Into<String>) {
        lock(&self.facts).skipped = Some(message.into());
    }

    /// The facts collected so far.
    pub fn facts(&self) -> Facts {
        let counters_i64 = self.accumulators.named();
        let counters_f64 = self.accumulators.named();
        let is_unresolved = self.commits.is_unresolved();
        let bottleneck = self.times.bottleneck();
        Facts { counters_i64, counters_f64, is_unresolved, bottleneck, ..lock(&self.facts).clone() }
    }

    /// Claims the right to end and report the run. Returns true exactly once.
    pub(super) fn claim_end(&self) -> bool {
        !self.ending.swap(true, Ordering::SeqCst)
    }

    /// Fixes the exit code, which a signal during the report no longer changes.
    pub(super) fn decide_code(&self, code: u8) {
        let _ = self.code.set(code);
    }

    /// The exit code, once it is fixed.
    pub(super) fn decided_code(&self) -> Option<u8> {
        self.code.get().copied()
    }

    /// Whether some thread is already ending the run.
    pub(super) fn is_ending(&self) -> bool {
        self.ending.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_gathers_facts_from_all_of_its_actions() {
        let run = Run::new("r", Progress::silent());
        run.published(Output { uri: "file:///a".to_owned(), rows: 3, ..Output::default() });
        run.count("bad rows", 1);
        run.count("bad rows", 2);
        run.add_retries(2);
        run.add_retries(1);
        let facts = run.facts();
        assert_eq!((facts.outputs.len(), facts.counters["bad rows"], facts.retries), (1, 3, 3));
    }

    #[test]
    fn only_one_caller_ends_the_run() {
        let run = Run::new("r", Progress::silent());
        assert_eq!((run.claim_end(), run.claim_end()), (true, false));
    }
}
