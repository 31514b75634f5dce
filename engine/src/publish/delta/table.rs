//! A Delta table as a job that writes to it sees it: as it was when the job began, and what has changed since.
//!
//! Open it before the output is claimed. Every commit under a higher epoch is then later than what was seen here, so
//! that the changes since then tell whether a claim may still publish.

use std::collections::BTreeSet;
use std::time::Duration;

use object_store::path::Path;

use super::actions::Action;
use super::checkpoint::MAX_RUNS;
use super::info::{self, KilnInfo};
use super::log::{AsOf, Commit, Log};
use super::schema;
use super::snapshot::{Replay, Snapshot};
use super::steps::{Change, Verdict, judge};
use super::values::{self, PartitionValues};
use crate::error::Result;
use crate::failpoint;
use crate::publish::head::{Claim, Published, Scope};
use crate::publish::mode::exists;
use crate::publish::rows_before::footer_rows;
use crate::publish::{Mode, Request, form};
use crate::source::{Location, Store};

/// Commits that are looked through for the record of a run.
const MAX_LOOKED: u64 = 10_000;

/// A table, or the place for one.
#[derive(Debug)]
pub struct DeltaTable {
    pub(super) log: Log,
    pub(super) uri: String,
    /// What is known now; nothing where there is no table.
    pub(super) snapshot: Option<Snapshot>,
    /// Whether there was no table when it was opened.
    pub(super) is_new: bool,
    /// The commits since the table was opened.
    later: Vec<Later>,
    pub(super) limits: Limits,
}

/// How long a commit goes on.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// For one version: until an unclear answer is given up.
    pub version: Duration,
    /// Versions that other commits may take first.
    pub lost: u32,
    /// Between two requests that answer each other: the first wait, and the longest.
    pub waits: (Duration, Duration),
}

impl Default for Limits {
    fn default() -> Self {
        let waits = (Duration::from_millis(20), Duration::from_secs(5));
        Limits { version: failpoint::limit(Duration::from_secs(120)), lost: 1000, waits }
    }
}

/// A commit since the table was opened.
#[derive(Debug)]
struct Later {
    kiln: Option<KilnInfo>,
    /// The partitions that got rows.
    added: Vec<PartitionValues>,
    /// Whether the columns, the properties or the protocol changed.
    changes_table: bool,
}

impl Later {
    fn of(actions: &[Action]) -> Later {
        let adds = actions.iter().filter_map(|action| action.add.as_ref()).filter(|add| add.data_change);
        Later {
            kiln: KilnInfo::in_commit(actions),
            added: adds.map(|add| add.partition_values.clone()).collect(),
            changes_table: actions
                .iter()
                .any(|action| action.meta_data.is_some() || action.protocol.is_some()),
        }
    }
}

/// What a publish replaces.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Replaced {
    Nothing,
    Everything,
    Partitions(Vec<PartitionValues>),
}

impl Replaced {
    pub(super) fn meets(&self, values: &PartitionValues) -> bool {
        match self {
            Replaced::Nothing => false,
            Replaced::Everything => true,
            Replaced::Partitions(partitions) => {
                partitions.iter().any(|partition| values::meet(partition, values))
            }
        }
    }
}

impl DeltaTable {
    /// The table at `location`, as it is now.
    ///
    /// # Errors
    /// Config for a table that Kiln cannot read, and for a folder of files that is none; else by the failing request.
    pub fn open(location: &Location) -> Result<DeltaTable> {
        let log = Log::at(location);
        let snapshot = log.load(AsOf::Latest)?;
        let (uri, is_new) = (location.uri(), snapshot.is_none());
        let table = DeltaTable { log, uri, snapshot, is_new, later: Vec::new(), limits: Limits::default() };
        if table.snapshot.is_none() && table.log.has_manifest()? {
            return Err(form::is_plain().at("output", &table.uri));
        }
        Ok(table)
    }

    /// Its address, for users.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// The log of the table.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The largest epoch in the table; 0 where there is none.
    pub fn last_epoch(&self) -> u64 {
        let Some(snapshot) = &self.snapshot else { return 0 };
        let txns = snapshot.txns.values().filter(|txn| txn.app_id.starts_with(super::checkpoint::APP));
        let of_runs = txns.filter_map(|txn| u64::try_from(txn.version).ok());
        let of_files = snapshot.files.values().filter_map(info::epoch_of);
        of_runs.chain(of_files).max().unwrap_or(0)
    }

    /// The table in the folder `root`, if one is there.
    ///
    /// # Errors
    /// As [`open`](DeltaTable::open).
    pub fn existing(store: &Store, root: &Path) -> Result<Option<DeltaTable>> {
        let log = Log { store: store.clone(), root: root.clone() };
        let Some(snapshot) = log.load(AsOf::Latest)? else { return Ok(None) };
        let (uri, limits) = (store.address(root), Limits::default());
        Ok(Some(DeltaTable { log, uri, snapshot: Some(snapshot), is_new: false, later: Vec::new(), limits }))
    }

    /// The version that is known, if there is a table.
    pub fn version(&self) -> Option<u64> {
        self.snapshot.as_ref().map(|snapshot| snapshot.version)
    }

    /// The rows of the table, or of these partitions of it, by the log; of a file that the log does not count, by its footer.
    ///
    /// # Errors
    /// Config for a folder that is no partition; data for a damaged file; else by the failing operation.
    pub fn rows(&self, folders: Option<&BTreeSet<String>>) -> Result<u64> {
        let Some(snapshot) = &self.snapshot else { return Ok(0) };
        let (schema, columns) = (snapshot.schema()?, &snapshot.metadata.partition_columns);
        let partitions = folders.map(|folders| {
            folders
                .iter()
                .map(|folder| values::of_folder(folder, &schema, columns))
                .collect::<Result<Vec<_>>>()
        });
        let counted = match partitions.transpose()? {
            None => Replaced::Everything,
            Some(partitions) => Replaced::Partitions(partitions),
        };
        let mut rows = 0;
        for add in snapshot.files.values().filter(|add| counted.meets(&add.partition_values)) {
            rows += match add.rows() {
                Some(rows) => rows,
                None => {
                    let path = self.log.below(&values::decoded(&add.path)?)?;
                    footer_rows(self.log.store.address(&path), u64::try_from(add.size).unwrap_or_default())?
                }
            };
        }
        Ok(rows)
    }

    /// Whether `mode` has something to do here.
    ///
    /// # Errors
    /// Config when the mode does not allow what is there, or the table cannot be written to.
    pub fn check(&self, mode: Mode) -> Result<bool> {
        let Some(snapshot) = &self.snapshot else { return Ok(true) };
        match mode {
            Mode::Ignore => return Ok(false),
            Mode::Error => return Err(exists(&self.uri)),
            Mode::Overwrite | Mode::Append | Mode::AppendOnce | Mode::ReplacePartitions => {}
        }
        let removes = !matches!(mode, Mode::Append | Mode::AppendOnce);
        snapshot
            .protocol
            .check_writable(&snapshot.metadata, removes)
            .map_err(|e| e.at("output", &self.uri))?;
        Ok(true)
    }

    /// Whether the table takes rows with these columns: asked before any is computed. The commit asks again.
    ///
    /// # Errors
    /// Config for other columns.
    pub fn check_columns(&self, request: &Request) -> Result<()> {
        let Some(snapshot) = self.snapshot.as_ref().filter(|_| request.mode != Mode::Overwrite) else {
            return Ok(());
        };
        let file = schema::file_schema(&request.columns.schema)?;
        let checked = schema::joined(&snapshot.metadata.schema_string, &file, request.evolves);
        checked.map(drop).map_err(|e| e.at("output", &self.uri))
    }

    /// The record of the publish of the run of `claim`, if it is in the table.
    ///
    /// # Errors
    /// By the failing request.
    pub fn published(&self, claim: &Claim) -> Result<Option<Published>> {
        let Some(snapshot) = &self.snapshot else { return Ok(None) };
        if info::epochs(&snapshot.txns, claim).published.is_none() || failpoint::is_sabotaged("fence") {
            return Ok(None);
        }
        let oldest = snapshot.version.saturating_sub(MAX_LOOKED);
        for version in (oldest..=snapshot.version).rev() {
            let Some(commit) = self.log.commit(version)? else { break };
            let ours = KilnInfo::in_commit(&commit.actions).filter(|info| info.is_of_run(claim));
            if let Some(published) = ours.and_then(|info| info.published(version)) {
                return Ok(Some(published));
            }
        }
        // Its commit is no longer there, the transaction is.
        let (version, scope) = (snapshot.version, Scope::whole());
        Ok(Some(Published {
            claim: claim.clone(),
            version,
            scope,
            output: Default::default(),
            counters: Default::default(),
        }))
    }

    /// Reads what was committed meanwhile.
    ///
    /// # Errors
    /// Data for a commit that cannot be read; else by the failing request.
    pub fn refresh(&mut self) -> Result<()> {
        loop {
            let next = self.version().map_or(0, |version| version + 1);
            let Some(Commit { actions, .. }) = self.log.commit(next)? else { return Ok(()) };
            self.add(actions)?;
        }
    }

    /// Takes the next version.
    pub(super) fn add(&mut self, actions: Vec<Action>) -> Result<()> {
        let later = Later::of(&actions);
        let after = match &self.snapshot {
            Some(snapshot) => snapshot.clone().after(actions),
            None => {
                let mut replay = Replay::default();
                replay.add_commit(actions);
                replay.end(0)
            }
        };
        self.snapshot = Some(after.map_err(|e| e.at("table", &self.uri))?);
        self.later.push(later);
        Ok(())
    }

    /// Whether `claim` may still publish what replaces `replaced`.
    pub(super) fn judge(&self, claim: &Claim, replaced: &Replaced) -> Verdict {
        let Some(snapshot) = &self.snapshot else { return Verdict::Clear };
        let epochs = info::epochs(&snapshot.txns, claim);
        let changed = self.later.iter().filter_map(|later| self.change(later, replaced));
        let live = snapshot.files.values().filter(|add| replaced.meets(&add.partition_values));
        let live = live.filter_map(info::epoch_of).map(Change::Publish);
        if failpoint::is_sabotaged("fence") {
            return Verdict::Clear;
        }
        let verdict = judge(claim.epoch, epochs, changed.chain(live));
        match verdict {
            Verdict::Clear if claim.run_id.is_some() && self.is_forgotten(claim) => Verdict::NewerRun,
            verdict => verdict,
        }
    }

    /// Whether the table may have forgotten the run of a claim that is as old as this one.
    fn is_forgotten(&self, claim: &Claim) -> bool {
        let runs = format!("{}run/", super::checkpoint::APP);
        let txns = self.snapshot.iter().flat_map(|snapshot| &snapshot.txns);
        let epochs: Vec<i64> =
            txns.filter(|(id, _)| id.starts_with(&runs)).map(|(_, txn)| txn.version).collect();
        let oldest = epochs.iter().min().and_then(|oldest| u64::try_from(*oldest).ok());
        epochs.len() * 2 >= MAX_RUNS && oldest.is_some_and(|oldest| claim.epoch < oldest)
    }

    fn change(&self, later: &Later, replaced: &Replaced) -> Option<Change> {
        if *replaced == Replaced::Nothing {
            return None;
        }
        match &later.kiln {
            Some(KilnInfo { scope: Some(scope), epoch, .. }) => {
                self.scope_meets(scope, replaced).then_some(Change::Publish(*epoch))
            }
            Some(_) => None,
            // Files that were only rearranged hold no new rows.
            None => {
                let has_rows = later.added.iter().any(|values| replaced.meets(values));
                (has_rows || later.changes_table).then_some(Change::Foreign)
            }
        }
    }

    fn scope_meets(&self, scope: &Scope, replaced: &Replaced) -> bool {
        let (Some(partitions), Some(snapshot)) = (&scope.partitions, &self.snapshot) else { return true };
        let Ok(table) = snapshot.schema() else { return true };
        let columns = &snapshot.metadata.partition_columns;
        // A partition that cannot be understood may be any.
        let values = |partition: &String| values::of_folder(partition, &table, columns);
        partitions.iter().any(|partition| values(partition).map_or(true, |values| replaced.meets(&values)))
    }
}
