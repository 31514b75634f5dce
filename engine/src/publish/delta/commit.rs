//! The commit to a Delta table: one version that adds, removes, and records who published.
//!
//! [`steps`](super::steps) decides; here its steps become requests. The files of a publish, its fence and its identity
//! are in one object, so there is no state in between for a killed job to leave. What a commit removes stays in the
//! folder for the readers of earlier versions.

use std::time::{Duration, Instant};

use arrow::datatypes::{Schema, SchemaRef};
use bytes::Bytes;
use serde_json::json;

use super::actions::{self, Action, Add, FileFormat, Metadata, Protocol};
use super::info::{self, AppKind, EPOCH_TAG, KilnInfo};
use super::log::name_of;
use super::put::{self, Created};
use super::snapshot::Snapshot;
use super::steps::{End, Event, Step, Verdict};
use super::table::{DeltaTable, Replaced};
use super::values::{self, PartitionValues};
use super::{checkpoint, schema};
use crate::error::{Error, Result};
use crate::job::{Cancel, Output};
use crate::publish::head::{self, Claim, Published, Scope};
use crate::publish::mode::exists;
use crate::publish::pause::jittered;
use crate::publish::{Mode, OUTCOME_UNKNOWN, OutputFile, local};

/// What is to be published.
#[derive(Clone, Debug)]
pub struct Publish<'a> {
    pub claim: &'a Claim,
    pub mode: Mode,
    /// The columns of the rows, those of partitions included.
    pub schema: &'a Schema,
    pub partition_by: &'a [String],
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

/// A publish with what follows from it.
struct Prepared<'a> {
    publish: &'a Publish<'a>,
    file_schema: SchemaRef,
    adds: Vec<Add>,
    replaced: Replaced,
    scope: Scope,
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
        self.drive(claim, &Replaced::Nothing, cancel, &body)
    }

    /// Makes a version that changes nothing, so that no other commit can take its number: one that is on the way fails, and
    /// reads the log again.
    ///
    /// # Errors
    /// As [`commit_while`](DeltaTable::commit_while).
    pub fn take_version(&mut self, cancel: &Cancel) -> Result<Committed> {
        let publish = uuid::Uuid::new_v4().to_string();
        let claim = Claim { run_id: None, sequence: 0, attempt: 0, epoch: 0, publish };
        let body =
            |_: Option<&Snapshot>| Ok(vec![KilnInfo::of(&claim).action("CLEAN", json!({}), true, now())?]);
        self.drive(&claim, &Replaced::Nothing, cancel, &body)
    }

    /// Publishes: afterwards the table has these files, or nothing has changed. `is_allowed` is asked after the log was read and
    /// before each version is tried, with whether there is a table.
    ///
    /// # Errors
    /// Those of `is_allowed`, after which nothing was published. Fenced when a newer attempt of the run has taken over, or a
    /// later run or another writer has published what would be replaced; config when the mode or the columns do not fit
    /// the table; transient, `outcome_unknown`, when the outcome is not known, and then no file may be removed; else by the
    /// failing request.
    pub fn commit_while(
        &mut self,
        publish: &Publish<'_>,
        cancel: &Cancel,
        is_allowed: &dyn Fn(bool) -> Result<()>,
    ) -> Result<Committed> {
        let prepared = Prepared::of(publish).map_err(|e| e.at("output", &self.uri))?;
        if self.log.store.is_local() {
            let files: Vec<OutputFile> = publish.files.iter().filter(|file| file.rows > 0).cloned().collect();
            local::sync_table(self.log.store.address(&self.log.root).as_ref(), &files)?;
        }
        let uri = self.uri.clone();
        let body = |snapshot: Option<&Snapshot>| {
            is_allowed(snapshot.is_some())?;
            prepared.actions(snapshot, &uri)
        };
        self.drive(publish.claim, &prepared.replaced, cancel, &body)
    }

    /// [`commit_while`](DeltaTable::commit_while) without anybody to ask.
    #[cfg(test)]
    pub fn commit(&mut self, publish: &Publish<'_>, cancel: &Cancel) -> Result<Committed> {
        self.commit_while(publish, cancel, &|_| Ok(()))
    }

    fn drive(
        &mut self,
        claim: &Claim,
        replaced: &Replaced,
        cancel: &Cancel,
        body: &dyn Fn(Option<&Snapshot>) -> Result<Vec<Action>>,
    ) -> Result<Committed> {
        let (mut step, mut ready, mut pace) = (Step::Refresh, None, Pace::new(self));
        let mut cause = Error::transient("other commits took every version");
        loop {
            let event = match step {
                Step::Refresh if cancel.is_requested() => return Err(Error::job_stopped()),
                Step::Refresh => self.refreshed(claim, replaced, body, &mut ready, &mut cause)?,
                Step::Put { version, .. } => self.put(version, ready.as_ref(), &mut cause)?,
                Step::Look { version, .. } => self.look(version, ready.as_ref(), &mut cause)?,
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
        Ok(Event::Refreshed { next: self.version().map_or(0, |version| version + 1), verdict })
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
            Event::Unreadable | Event::Absent | Event::Refused => {
                std::thread::sleep(jittered(self.wait));
                self.wait = (self.wait * 2).min(self.limits.waits.1);
            }
            _ => {}
        }
        Instant::now() >= self.end
    }
}

fn now() -> i64 {
    chrono::Utc::now().timestamp_millis()
}

impl<'a> Prepared<'a> {
    fn of(publish: &'a Publish<'a>) -> Result<Prepared<'a>> {
        let file_schema = schema::file_schema(publish.schema)?;
        let (now, columns) = (now(), publish.partition_by);
        let values = |folder: &str| values::of_folder(folder, &file_schema, columns);
        let mut adds = Vec::new();
        for part in publish.files.iter().filter(|part| part.rows > 0) {
            let folder = part.name.rsplit_once('/').map_or("", |(folder, _)| folder);
            adds.push(add_of(part, values(folder)?, publish.claim.epoch, now));
        }
        let expected =
            publish.expected.iter().map(|partition| values(partition)).collect::<Result<Vec<_>>>()?;
        let replaced = match publish.mode {
            Mode::Error | Mode::Ignore | Mode::Append | Mode::AppendOnce => Replaced::Nothing,
            Mode::Overwrite => Replaced::Everything,
            Mode::ReplacePartitions => {
                let mut partitions = expected;
                partitions.extend(adds.iter().map(|add| add.partition_values.clone()));
                partitions.sort();
                partitions.dedup();
                Replaced::Partitions(partitions)
            }
        };
        let scope = scope_of(publish);
        Ok(Prepared { publish, file_schema, adds, replaced, scope })
    }

    /// The version after `snapshot`.
    fn actions(&self, snapshot: Option<&Snapshot>, uri: &str) -> Result<Vec<Action>> {
        let (now, publish) = (now(), self.publish);
        if snapshot.is_some() && matches!(publish.mode, Mode::Error | Mode::Ignore) {
            return Err(exists(uri));
        }
        let mut actions = vec![self.info(now)?];
        actions.extend(info::txn(publish.claim, AppKind::Run, now));
        match snapshot {
            None => {
                actions.push(Action { protocol: Some(Protocol::ours()), ..Action::default() });
                let metadata = new_metadata(&self.file_schema, publish.partition_by, now);
                actions.push(Action { meta_data: Some(metadata), ..Action::default() });
            }
            Some(snapshot) => {
                let changed = self.check(snapshot).map_err(|e| e.at("output", uri))?;
                actions.extend(
                    changed.map(|metadata| Action { meta_data: Some(metadata), ..Action::default() }),
                );
                let removed =
                    snapshot.files.values().filter(|add| self.replaced.meets(&add.partition_values));
                actions.extend(
                    removed.map(|add| Action { remove: Some(add.removed(now)), ..Action::default() }),
                );
            }
        }
        actions.extend(self.adds.iter().map(|add| Action { add: Some(add.clone()), ..Action::default() }));
        Ok(actions)
    }

    /// Checks that the table takes the rows; gives its new metadata when an overwrite changes the columns.
    fn check(&self, snapshot: &Snapshot) -> Result<Option<Metadata>> {
        let Publish { mode, partition_by, .. } = self.publish;
        let metadata = &snapshot.metadata;
        snapshot.protocol.check_writable(metadata, self.replaced != Replaced::Nothing)?;
        let has_columns = metadata.partition_columns == *partition_by;
        let fits = snapshot.schema().and_then(|table| schema::check_equal(&table, &self.file_schema));
        match (fits, has_columns) {
            (Ok(()), true) => Ok(None),
            (_, _) if *mode == Mode::Overwrite => {
                let schema_string = schema::to_string(&self.file_schema);
                Ok(Some(Metadata {
                    schema_string,
                    partition_columns: partition_by.to_vec(),
                    ..metadata.clone()
                }))
            }
            (Err(error), _) => Err(error),
            (Ok(()), false) => {
                let (ours, theirs) = (partition_by.join(", "), metadata.partition_columns.join(", "));
                let text =
                    format!("the rows are partitioned by [{ours}], those of the Delta table by [{theirs}]");
                Err(Error::config(text)
                    .reason("schema_mismatch")
                    .help("name the same columns in `partition_by`"))
            }
        }
    }

    fn info(&self, now: i64) -> Result<Action> {
        let Publish { claim, mode, partition_by, output, counters, .. } = self.publish;
        let mode = match mode {
            Mode::Error | Mode::Ignore => "ErrorIfExists",
            Mode::Append | Mode::AppendOnce => "Append",
            Mode::Overwrite | Mode::ReplacePartitions => "Overwrite",
        };
        let kiln = KilnInfo {
            scope: Some(self.scope.clone()),
            output: Some(output.clone()),
            counters: counters.clone(),
            ..KilnInfo::of(claim)
        };
        let parameters = json!({ "mode": mode, "partitionBy": json!(partition_by).to_string() });
        kiln.action("WRITE", parameters, self.replaced == Replaced::Nothing, now)
    }
}

fn scope_of(publish: &Publish<'_>) -> Scope {
    let replaces = matches!(publish.mode, Mode::Overwrite | Mode::ReplacePartitions);
    if publish.mode == Mode::Overwrite || publish.partition_by.is_empty() {
        return Scope { partitions: None, replaces };
    }
    let files = publish.files.iter().filter(|part| part.rows > 0);
    let folders = files.filter_map(|part| part.name.rsplit_once('/')).map(|(folder, _)| folder.to_owned());
    Scope::of(folders.chain(publish.expected.iter().cloned()).collect(), replaces)
}

fn add_of(part: &OutputFile, partition_values: PartitionValues, epoch: u64, now: i64) -> Add {
    Add {
        path: values::encoded(&part.name),
        partition_values,
        size: i64::try_from(part.bytes).unwrap_or(i64::MAX),
        modification_time: now,
        data_change: true,
        stats: Some(json!({ "numRecords": part.rows }).to_string()),
        tags: Some([(EPOCH_TAG.to_owned(), Some(epoch.to_string()))].into()),
        deletion_vector: None,
    }
}

fn new_metadata(file_schema: &Schema, partition_by: &[String], now: i64) -> Metadata {
    Metadata {
        id: uuid::Uuid::new_v4().to_string(),
        name: None,
        description: None,
        format: FileFormat { provider: "parquet".to_owned(), options: Default::default() },
        schema_string: schema::to_string(file_schema),
        partition_columns: partition_by.to_vec(),
        created_time: Some(now),
        configuration: Default::default(),
    }
}

#[cfg(test)]
mod tests;
