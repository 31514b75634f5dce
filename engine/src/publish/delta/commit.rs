//! The commit to a Delta table: one version that adds, removes, and records who published.
//!
//! [`steps`](super::steps) decides; here its steps become requests. The files of a publish, its fence and its identity
//! are in one object, so there is no state in between for a killed job to leave. What a commit removes stays in the
//! folder for the readers of earlier versions.

use std::time::{Duration, Instant};

use arrow::datatypes::Schema;
use bytes::Bytes;
use serde_json::json;

use super::actions::{self, Action};
use super::checkpoint;
use super::info::{self, AppKind, KilnInfo};
use super::log::name_of;
use super::prepared::Prepared;
use super::put::{self, Created};
use super::snapshot::Snapshot;
use super::steps::{End, Event, Step, Verdict};
use super::table::{DeltaTable, Replaced};
use crate::error::{Error, Result};
use crate::job::{Cancel, Output};
use crate::publish::head::{self, Claim, Published};
use crate::publish::pause::jittered;
use crate::publish::{Mode, OUTCOME_UNKNOWN, OutputFile, is_unknown, local};

/// What is to be published.
#[derive(Clone, Debug)]
pub struct Publish<'a> {
    pub claim: &'a Claim,
    pub mode: Mode,
    /// The columns of the rows, those of partitions included.
    pub schema: &'a Schema,
    pub partition_by: &'a [String],
    /// Whether the table may get columns that it does not have.
    pub evolves: bool,
    /// The files, by their names in the folder of the table. Those without rows are left out.
    pub files: &'a [OutputFile],
    /// Partitions such as `day=2026-03-02` that are replaced even if no row is in them.
    pub expected: &'a [String],
    /// What is recorded for later attempts of the run.
    pub output: Output,
    pub counters: std::collections::BTreeMap<String, u64>,
}

/// How a publish ended well.
#[derive(Debug, PartialEq)]
pub enum Committed {
    /// It is this version.
    Version(u64),
    /// An older attempt of the run had published before.
    Already(Box<Published>),
}

/// Stands between the attempts of a run where the log of a new table cannot: the head of the output.
pub trait Coordinator {
    /// Whether `commit` may be version `version`; of version 0 the answer is recorded. False when another publish was to
    /// make version 0, which it has now.
    ///
    /// # Errors
    /// Fenced after a newer attempt; transient, `outcome_unknown`, when it is not known whether it was recorded.
    fn allow(&self, version: u64, commit: &Bytes) -> Result<bool>;

    /// Takes back that this commit may be version 0; returns whether it is certain that nobody has put it or will.
    ///
    /// # Errors
    /// By the failing request.
    fn retract(&self) -> Result<bool>;
}

/// A version that is being put.
struct Body {
    actions: Vec<Action>,
    bytes: Bytes,
}

impl DeltaTable {
    /// Records in the table that `claim` has taken over from older attempts of its run, so that they cannot publish.
    /// Where there is no table yet, nothing is done.
    ///
    /// # Errors
    /// Fenced when a newer attempt has claimed it; transient, `outcome_unknown`, when the outcome is not known.
    pub fn claim(&mut self, claim: &Claim, cancel: &Cancel) -> Result<Committed> {
        let Some(version) = self.version().filter(|_| claim.run_id.is_some()) else {
            return Ok(Committed::Version(self.version().unwrap_or(0)));
        };
        if info::epochs(&self.snapshot.as_ref().map(|s| s.txns.clone()).unwrap_or_default(), claim).claimed
            == Some(claim.epoch)
        {
            return Ok(Committed::Version(version));
        }
        let body = |_: Option<&Snapshot>| {
            let now = now();
            let info = KilnInfo::of(claim).action("CLAIM", json!({}), true, now)?;
            Ok([Some(info), info::txn(claim, AppKind::Claim, now)].into_iter().flatten().collect())
        };
        self.drive(claim, &Replaced::Nothing, cancel, &body, None)
    }

    /// Makes a version that changes nothing, so that no other commit can take its number: one that is on the way fails, and
    /// reads the log again.
    ///
    /// # Errors
    /// As [`commit`](DeltaTable::commit).
    pub fn take_version(&mut self, cancel: &Cancel) -> Result<Committed> {
        let publish = uuid::Uuid::new_v4().to_string();
        let claim = Claim { run_id: None, sequence: 0, attempt: 0, epoch: 0, publish };
        let body =
            |_: Option<&Snapshot>| Ok(vec![KilnInfo::of(&claim).action("CLEAN", json!({}), true, now())?]);
        self.drive(&claim, &Replaced::Nothing, cancel, &body, None)
    }

    /// Publishes: afterwards the table has these files, or nothing has changed. `coordinator` is asked after the log was
    /// read and before each version is tried.
    ///
    /// # Errors
    /// Those of the coordinator, after which nothing was published. Fenced when a newer attempt of the run has taken over, or
    /// a later run or another writer has published what would be replaced; config when the mode or the columns do not
    /// fit the table; transient, `outcome_unknown`, when the outcome is not known, and then no file may be removed; else
    /// by the failing request.
    pub fn commit(
        &mut self,
        publish: &Publish<'_>,
        cancel: &Cancel,
        coordinator: &dyn Coordinator,
    ) -> Result<Committed> {
        let prepared = Prepared::of(publish).map_err(|e| e.at("output", &self.uri))?;
        if self.log.store.is_local() {
            let files: Vec<OutputFile> = publish.files.iter().filter(|file| file.rows > 0).cloned().collect();
            local::sync_table(self.log.store.address(&self.log.root).as_ref(), &files)?;
        }
        let uri = self.uri.clone();
        let body = |snapshot: Option<&Snapshot>| prepared.actions(snapshot, &uri);
        self.drive(publish.claim, &prepared.replaced, cancel, &body, Some(coordinator))
    }

    fn drive(
        &mut self,
        claim: &Claim,
        replaced: &Replaced,
        cancel: &Cancel,
        body: &dyn Fn(Option<&Snapshot>) -> Result<Vec<Action>>,
        coordinator: Option<&dyn Coordinator>,
    ) -> Result<Committed> {
        let (mut step, mut ready, mut pace) = (Step::Refresh, None, Pace::new(self));
        let mut cause = Error::transient("other commits took every version");
        loop {
            let event = match step {
                Step::Refresh if cancel.is_requested() => return Err(Error::job_stopped()),
                // `kiln clean` fences by the head alone, so it is asked where there is a table, too.
                Step::Refresh => asking(
                    self.refreshed(claim, replaced, body, &mut ready, &mut cause)?,
                    coordinator.is_some(),
                ),
                Step::Ask { version } => match ask(coordinator, version, ready.as_ref()) {
                    Err(error) if version == 0 && !is_given_up(coordinator, &error) => {
                        return Err(self.unknown(0, error));
                    }
                    asked => asked?,
                },
                Step::Put { version, .. } => self.put(version, ready.as_ref(), &mut cause)?,
                Step::Look { version, .. } => self.look(version, ready.as_ref(), &mut cause)?,
                Step::End(End::Failed) if self.is_new && !is_given_up(coordinator, &cause) => {
                    return Err(self.unknown(0, cause));
                }
                Step::End(end) => return self.ended(end, ready, claim, cause),
            };
            step = step.after(event);
            if pace.is_over(event) {
                step = step.after(Event::OutOfTime);
            }
        }
    }

    fn refreshed(
        &mut self,
        claim: &Claim,
        replaced: &Replaced,
        body: &dyn Fn(Option<&Snapshot>) -> Result<Vec<Action>>,
        ready: &mut Option<Body>,
        cause: &mut Error,
    ) -> Result<Event> {
        match self.refresh() {
            Err(error) if error.is_retryable() => {
                *cause = error;
                return Ok(Event::Unreadable);
            }
            refreshed => refreshed?,
        }
        let verdict = self.judge(claim, replaced);
        if verdict == Verdict::Clear {
            let actions = body(self.snapshot.as_ref())?;
            *ready = Some(Body { bytes: actions::format(&actions)?.into(), actions });
        }
        let next = self.version().map_or(0, |version| version + 1);
        Ok(Event::Refreshed { next, verdict, asks: self.is_new })
    }

    fn put(&self, version: u64, ready: Option<&Body>, cause: &mut Error) -> Result<Event> {
        let body = ready.ok_or_else(|| Error::bug("a commit has no body"))?;
        match put::create(&self.log.store, &self.log.key(&name_of(version))?, body.bytes.clone()) {
            Created::Yes => Ok(Event::Created),
            Created::Refused(error) => {
                *cause = error;
                Ok(Event::Refused)
            }
            Created::Unclear(error) => {
                log::debug!("version {version} of {} is not clear: {error}", self.uri);
                *cause = error;
                Ok(Event::Unclear)
            }
        }
    }

    /// The same bytes are this commit: it holds the UUID of the publish.
    fn look(&self, version: u64, ready: Option<&Body>, cause: &mut Error) -> Result<Event> {
        let body = ready.ok_or_else(|| Error::bug("a commit has no body"))?;
        match put::read(&self.log.store, &self.log.key(&name_of(version))?) {
            Ok(Some(read)) if read.bytes == body.bytes => Ok(Event::Ours),
            Ok(Some(_)) => Ok(Event::Other),
            Ok(None) => Ok(Event::Absent),
            Err(error) => {
                *cause = error;
                Ok(Event::Unreadable)
            }
        }
    }

    fn ended(&mut self, end: End, ready: Option<Body>, claim: &Claim, cause: Error) -> Result<Committed> {
        match end {
            End::Committed { version } => {
                // The commit is there; whatever fails from here on is not its failure.
                if let Some(Body { actions, .. }) = ready
                    && let Err(error) = self.add(actions)
                {
                    log::warn!("the table cannot be read after a commit: {error}");
                }
                if let Some(snapshot) = &self.snapshot {
                    checkpoint::write_if_due(&self.log, snapshot);
                }
                Ok(Committed::Version(version))
            }
            End::Stopped(verdict) => self.stopped(verdict, claim),
            End::Failed => Err(cause.at("output", &self.uri)),
            End::Unknown { version } => Err(self.unknown(version, cause)),
        }
    }

    fn stopped(&self, verdict: Verdict, claim: &Claim) -> Result<Committed> {
        let error = match verdict {
            Verdict::AlreadyPublished => {
                let published = self.published(claim)?;
                let published = published.ok_or_else(|| Error::bug("a publish that was found is gone"))?;
                return Ok(Committed::Already(Box::new(published)));
            }
            Verdict::NewerRun => head::fenced_by_run(),
            Verdict::NewerAttempt | Verdict::Clear => head::fenced_by_attempt(claim),
        };
        Err(error.at("output", &self.uri))
    }

    fn unknown(&self, version: u64, cause: Error) -> Error {
        let name = name_of(version);
        Error::transient("whether the commit was made is not known: the store does not answer")
            .because(cause)
            .reason(OUTCOME_UNKNOWN)
            .at("output", &self.uri)
            .at("version", version)
            .help(format!(
                "run the job again with the same run id: it finds out, and publishes only if it must; or look into \
                 `_delta_log/{name}`. No file was removed"
            ))
    }
}

/// The same, but the head is asked before a version is put if it `must` be.
fn asking(event: Event, must: bool) -> Event {
    match event {
        Event::Refreshed { next, verdict, asks } => Event::Refreshed { next, verdict, asks: asks || must },
        other => other,
    }
}

fn ask(coordinator: Option<&dyn Coordinator>, version: u64, ready: Option<&Body>) -> Result<Event> {
    let body = ready.ok_or_else(|| Error::bug("a commit has no body"))?;
    // A claim changes nothing that another attempt could take for a publish.
    let is_allowed = coordinator.map_or(Ok(true), |coordinator| coordinator.allow(version, &body.bytes))?;
    Ok(if is_allowed { Event::Allowed } else { Event::Other })
}

/// Whether it is certain, after `error`, that no attempt puts a commit that the head may have allowed.
fn is_given_up(coordinator: Option<&dyn Coordinator>, error: &Error) -> bool {
    let is_certain = |coordinator: &dyn Coordinator| matches!(coordinator.retract(), Ok(true));
    !is_unknown(error) && coordinator.is_none_or(is_certain)
}

/// How fast a commit goes on, and when it has taken too long.
struct Pace {
    limits: super::table::Limits,
    end: Instant,
    lost: u32,
    wait: Duration,
}

impl Pace {
    fn new(table: &DeltaTable) -> Pace {
        let limits = table.limits;
        Pace { limits, end: Instant::now() + limits.version, lost: 0, wait: limits.waits.0 }
    }

    /// Waits where `event` asks for it; returns whether time is up.
    fn is_over(&mut self, event: Event) -> bool {
        match event {
            Event::Other => {
                // Somebody has made progress; the next version has a limit of its own.
                self.lost += 1;
                self.end = Instant::now() + self.limits.version;
                self.wait = self.limits.waits.0;
                return self.lost > self.limits.lost;
            }
            // However long the request took: the answer may be there to be read.
            Event::Unclear => return false,
            Event::Unreadable | Event::Absent | Event::Refused => {
                std::thread::sleep(jittered(self.wait));
                self.wait = (self.wait * 2).min(self.limits.waits.1);
            }
            _ => {}
        }
        Instant::now() >= self.end
    }
}

/// The time in milliseconds, for those who look at the history.
pub(super) fn now() -> i64 {
    chrono::Utc::now().timestamp_millis()
}

#[cfg(test)]
mod tests;
