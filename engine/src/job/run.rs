//! One run of a job binary: its name, and the facts that it will report about itself.
//!
//! Sinks, the driver and the job's own code put facts in while they work; `exit` and `result` take
//! them out once, at the end. There is one run per process, shared by all of its actions, so that
//! three writes give one report. How the job is run, and where the report goes, is not known here.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::accumulators::Accumulators;
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

/// What one sink has published.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// Where it lies, for example `file:///data/counts`.
    pub uri: String,
    /// How many partitions of the dataset were written.
    pub partitions: u64,
    /// How many data files there are.
    pub files: u64,
    /// How many rows they hold.
    pub rows: u64,
    /// How long they are together.
    pub bytes: u64,
    /// The rows of every partition of the layout that was written, by its name: `day=2026-03-02`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub partition_rows: BTreeMap<String, u64>,
}

/// What one source has read: the list of its files when the job was planned.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// The address as the job gave it.
    pub uri: String,
    /// How many files there were.
    pub files: u64,
    /// How long they were together.
    pub bytes: u64,
    /// A hash of the sorted list of addresses, sizes and versions, in hexadecimal: equal lists, equal hashes.
    pub hash: String,
}

/// What a run has to say about itself so far.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// What was read, in the order of planning.
    pub inputs: Vec<Input>,
    /// What was published, in the order of publishing.
    pub outputs: Vec<Output>,
    /// What came of the checks of outputs, also of those that were not published for that.
    pub checks: Vec<CheckResult>,
    /// The job's own counters by name.
    pub counters: BTreeMap<String, u64>,
    /// Those that may go down, by name.
    pub counters_i64: BTreeMap<String, i64>,
    /// Those of floats, by name.
    pub counters_f64: BTreeMap<String, f64>,
    /// How many attempts of tasks had to be made again.
    pub retries: u32,
    /// The version that the last publish made, where the sink counts versions.
    pub version: Option<u64>,
    /// Why there was nothing to do, if the job said so.
    pub skipped: Option<String>,
    /// Whether a commit has ended, or was left, without its outcome being known.
    pub is_unresolved: bool,
}

/// One run of a job binary; the process holds one and shares it.
pub struct Run {
    identity: Identity,
    started: Instant,
    facts: Mutex<Facts>,
    /// The names of the counters that closures count, by number.
    counters: Mutex<Vec<String>>,
    /// What closures accumulate beyond that.
    pub(crate) accumulators: Accumulators,
    /// How often the run has begun to write to an address.
    writes: Mutex<BTreeMap<String, u32>>,
    /// Where checkpoints were made.
    checkpoints: Mutex<BTreeSet<String>>,
    ending: AtomicBool,
    /// The exit code, once it is decided.
    code: OnceLock<u8>,
    /// The command line without the run id and the attempt, once it is parsed.
    arguments: OnceLock<Vec<OsString>>,
    /// Who gets the result.
    pub(super) listeners: Listeners,
    options: RunOptions,
    commits: Arc<Commits>,
    /// Whether the run should stop.
    pub cancel: Cancel,
    /// What must be undone when the run ends.
    pub cleanup: Cleanup,
    /// What a person sees while the run works.
    pub progress: Progress,
}

impl Run {
    /// The run of this process, with the identity and the options that the environment gives it.
    ///
    /// # Errors
    /// Of class config when a variable cannot be read.
    pub fn from_env() -> Result<Arc<Run>> {
        let options = RunOptions::from_env(&|name| std::env::var(name).ok())?;
        Ok(Run::with_options(Identity::from_env()?, options, Progress::from_env()))
    }

    /// A run named `run_id` that shows its work by `progress`.
    pub fn new(run_id: impl Into<String>, progress: Progress) -> Arc<Run> {
        Run::with_identity(Identity::random_named(run_id), progress)
    }

    /// A run with an identity that shows its work by `progress`.
    pub fn with_identity(identity: Identity, progress: Progress) -> Arc<Run> {
        Run::with_options(identity, RunOptions::default(), progress)
    }

    /// A run with an identity and options that shows its work by `progress`.
    pub fn with_options(identity: Identity, options: RunOptions, progress: Progress) -> Arc<Run> {
        Arc::new(Run {
            identity,
            options,
            commits: Arc::default(),
            started: Instant::now(),
            facts: Mutex::default(),
            counters: Mutex::default(),
            accumulators: Accumulators::default(),
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

    /// The run's name in the result JSON.
    pub fn run_id(&self) -> &str {
        &self.identity.run_id
    }

    /// Which run this is, and which attempt at it.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// What the caller decides about the run.
    pub fn options(&self) -> &RunOptions {
        &self.options
    }

    /// Begins a commit: while the guard lives, a cancel does not end the process by force before
    /// [`RunOptions::commit_grace`] has passed.
    ///
    /// Call [`Run::published`] before the guard is dropped, so that a cancel in between reports the output; and
    /// [`CommitGuard::unresolved`] when it is not known whether the commit took place.
    ///
    /// # Errors
    /// Of class cancelled once the run was asked to stop: then no commit begins.
    pub fn committing(&self) -> Result<CommitGuard> {
        self.commits.begin(&self.cancel)
    }

    /// The arguments by which the same job can be started again, as another attempt or run.
    pub(crate) fn arguments(&self) -> Vec<OsString> {
        self.arguments.get().cloned().unwrap_or_else(|| std::env::args_os().skip(1).collect())
    }

    /// Sets [`arguments`](Run::arguments).
    pub(super) fn set_arguments(&self, arguments: Vec<OsString>) {
        let _ = self.arguments.set(arguments);
    }

    /// The commits that are under way.
    pub(super) fn commits(&self) -> &Commits {
        &self.commits
    }

    /// How long the run has taken so far.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Says that `output` is published: call it after the commit, never before.
    pub fn published(&self, output: Output) {
        lock(&self.facts).outputs.push(output);
    }

    /// Records what a source reads; the same list again adds nothing.
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

    /// The number by which tasks name the counter `name`; from now on it is in the result.
    pub(crate) fn counter(&self, name: &str) -> u32 {
        self.count(name, 0);
        let mut names = lock(&self.counters);
        let at = names.iter().position(|known| known == name).unwrap_or_else(|| {
            names.push(name.to_owned());
            names.len() - 1
        });
        at as u32
    }

    /// Adds what tasks have counted.
    pub(crate) fn add_counts(&self, counts: &[(u32, u64)]) {
        for (id, delta) in counts {
            let name = lock(&self.counters).get(*id as usize).cloned();
            name.iter().for_each(|name| self.count(name, *delta));
        }
    }

    /// What a counter has come to.
    pub(crate) fn counter_value(&self, id: u32) -> u64 {
        let name = lock(&self.counters).get(id as usize).cloned();
        name.and_then(|name| lock(&self.facts).counters.get(&name).copied()).unwrap_or(0)
    }

    /// Adds `count` attempts that had to be made again.
    pub fn add_retries(&self, count: u32) {
        let mut facts = lock(&self.facts);
        facts.retries = facts.retries.saturating_add(count);
    }

    /// Which write of the run to `uri` the next one is, from 0 up.
    pub(crate) fn next_write(&self, uri: &str) -> u32 {
        let mut writes = lock(&self.writes);
        let next = writes.entry(uri.to_owned()).or_default();
        *next += 1;
        *next - 1
    }

    /// How often the run has begun to write to `uri`.
    pub(crate) fn writes_to(&self, uri: &str) -> u32 {
        lock(&self.writes).get(uri).copied().unwrap_or(0)
    }

    /// Adds what a retry has not counted because its output was published by an earlier attempt.
    pub(crate) fn restore_counts(&self, counters: &BTreeMap<String, u64>) {
        let mut facts = lock(&self.facts);
        for (name, count) in counters {
            let counter = facts.counters.entry(name.clone()).or_default();
            *counter = (*counter).max(*count);
        }
    }

    /// Whether the run has made a checkpoint at `uri`.
    pub(crate) fn has_checkpoint(&self, uri: &str) -> bool {
        lock(&self.checkpoints).contains(uri)
    }

    /// Says that the run has made a checkpoint at `uri`.
    pub(crate) fn add_checkpoint(&self, uri: &str) {
        lock(&self.checkpoints).insert(uri.to_owned());
    }

    /// Says that there is nothing to do: unless the job fails or publishes, it ends with code 99.
    pub fn skip(&self, message: impl Into<String>) {
        lock(&self.facts).skipped = Some(message.into());
    }

    /// What the run has to say about itself so far.
    pub fn facts(&self) -> Facts {
        let counters_i64 = self.accumulators.named();
        let counters_f64 = self.accumulators.named();
        let is_unresolved = self.commits.is_unresolved();
        Facts { counters_i64, counters_f64, is_unresolved, ..lock(&self.facts).clone() }
    }

    /// Whether this caller is the one that ends the run and reports it; true exactly once.
    pub(super) fn claim_end(&self) -> bool {
        !self.ending.swap(true, Ordering::SeqCst)
    }

    /// Decides the exit code: a signal that comes while the run is reported does not change it.
    pub(super) fn decide_code(&self, code: u8) {
        let _ = self.code.set(code);
    }

    /// The exit code, once it is decided.
    pub(super) fn decided_code(&self) -> Option<u8> {
        self.code.get().copied()
    }

    /// Whether someone ends the run already.
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
