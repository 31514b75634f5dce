//! The Delta log of a table: its versions and checkpoints, and how one of them is read.
//!
//! ```text
//! _delta_log/00000000000000000000.json            a version
//! _delta_log/00000000000000000010.checkpoint.parquet   all actions up to it
//! _delta_log/_last_checkpoint                     a hint, which may be old, wrong or missing
//! ```
//!
//! A listing only finds candidates: each version that is used is read, and versions without a gap are a table. A local
//! folder that is listed while files join it may show a gap that is none, so that a gap is listed again first.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use serde::{Deserialize, Serialize};

use super::actions::{self, Action};
use super::snapshot::{Replay, Snapshot};
use super::values::decoded;
use super::{checkpoint, put};
use crate::error::{Error, Result};
use crate::source::{Location, MANIFEST, Store};

/// The folder of the log in that of the table.
pub const LOG: &str = "_delta_log";
/// The hint at the last checkpoint.
const HINT: &str = "_last_checkpoint";
/// Digits in the name of a version.
const DIGITS: usize = 20;
/// How often the log is listed until it has no gap, and how long the first wait is; each is twice the one before.
const LISTINGS: u32 = 6;
const FIRST_WAIT: Duration = Duration::from_millis(20);
/// Versions that are read at once.
const READS: usize = 16;

/// The log of one table.
#[derive(Clone, Debug)]
pub struct Log {
    pub store: Store,
    /// The folder of the table.
    pub root: Path,
}

/// Which version is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum AsOf {
    #[default]
    Latest,
    Version(u64),
    /// The last that was committed at this time or before.
    Time(DateTime<Utc>),
}

/// The hint at the last checkpoint.
#[derive(Debug, Serialize, Deserialize)]
pub struct Hint {
    pub version: u64,
    pub size: i64,
}

/// A commit that was read.
pub struct Commit {
    pub actions: Vec<Action>,
    modified: DateTime<Utc>,
}

/// What a listing has found.
#[derive(Debug, Default)]
struct Listed {
    versions: BTreeSet<u64>,
    /// The names of the parts of each checkpoint that is complete.
    checkpoints: BTreeMap<u64, Vec<String>>,
}

impl Log {
    /// The log of the table at `location`, which may not exist.
    pub fn at(location: &Location) -> Log {
        Log { store: location.store.clone(), root: location.path.clone() }
    }

    /// The object `name` of the log.
    pub fn key(&self, name: &str) -> Result<Path> {
        self.below(&format!("{LOG}/{name}"))
    }

    /// The object `name` in the folder of the table.
    ///
    /// # Errors
    /// Data for a name that leaves the folder.
    pub fn below(&self, name: &str) -> Result<Path> {
        let slash = if self.root.as_ref().is_empty() { "" } else { "/" };
        Path::parse(format!("{}{slash}{name}", self.root))
            .map_err(|e| Error::data("a name in the Delta log is no path").because(e).at("name", name))
    }

    /// The commit that made `version`, if there is one.
    ///
    /// # Errors
    /// Data when it cannot be read as a commit; else by the failing request.
    pub fn commit(&self, version: u64) -> Result<Option<Commit>> {
        let key = self.key(&name_of(version))?;
        let Some(read) = put::read(&self.store, &key)? else { return Ok(None) };
        self.parsed(&key, read).map(Some)
    }

    fn parsed(&self, key: &Path, read: put::Read) -> Result<Commit> {
        let actions = actions::parse(&read.bytes).map_err(|e| e.at("file", self.store.address(key)))?;
        Ok(Commit { actions, modified: read.modified })
    }

    /// Whether there is a log: one request for an object store.
    pub fn exists(&self) -> Result<bool> {
        if self.store.is_local() {
            return Ok(std::path::Path::new(&self.store.address(&self.below(LOG)?)).is_dir());
        }
        let prefix = self.below(LOG)?;
        let mut objects = self.store.objects().list(Some(&prefix));
        Ok(self.store.wait(objects.next()).transpose()?.is_some())
    }

    /// Whether the manifest of plain files is in the folder.
    ///
    /// # Errors
    /// By the failing request.
    pub fn has_manifest(&self) -> Result<bool> {
        Ok(super::put::read(&self.store, &self.below(MANIFEST)?)?.is_some())
    }

    /// The version `wanted`; nothing where there is no table.
    ///
    /// # Errors
    /// Config for a version that is not there and for a table that Kiln cannot read, data for a damaged log; else by
    /// the failing request.
    pub fn load(&self, wanted: AsOf) -> Result<Option<Snapshot>> {
        let wanted = match wanted {
            AsOf::Latest => None,
            AsOf::Version(version) => Some(version),
            AsOf::Time(time) => match self.version_at(time)? {
                Some(version) => Some(version),
                None => return Ok(None),
            },
        };
        let loaded = again(|| self.try_load(wanted));
        loaded.map_err(|e| e.at("table", self.store.address(&self.root)))
    }

    /// The paths of all files that the last version has or that a commit names which can still be read; nothing where there
    /// is no table.
    ///
    /// # Errors
    /// As [`load`](Log::load).
    pub fn named(&self) -> Result<Option<BTreeSet<String>>> {
        let Some(snapshot) = self.load(AsOf::Latest)? else { return Ok(None) };
        let versions: Vec<u64> = self.list(0)?.versions.into_iter().collect();
        let mut paths: BTreeSet<String> =
            snapshot.files.into_keys().chain(snapshot.removes.into_keys()).collect();
        for some in versions.chunks(READS) {
            let commits = self.commits(some.to_vec())?.into_iter().filter_map(|(_, commit)| commit);
            for Action { add, remove, .. } in commits.flat_map(|commit| commit.actions) {
                paths.extend(add.map(|add| add.path).into_iter().chain(remove.map(|remove| remove.path)));
            }
        }
        paths.iter().map(|path| decoded(path)).collect::<Result<_>>().map(Some)
    }

    /// Reads the log once; `Err` inside is a gap.
    fn try_load(&self, wanted: Option<u64>) -> Result<Result<Option<Snapshot>, Error>> {
        let from = self.hinted().filter(|hint| wanted.is_none_or(|wanted| *hint <= wanted));
        let mut listed = self.list(from.unwrap_or(0))?;
        if from.is_some_and(|hint| !listed.checkpoints.contains_key(&hint)) {
            listed = self.list(0)?;
        }
        let Some(last) = listed.last() else { return Ok(Ok(None)) };
        let version = wanted.unwrap_or(last);
        if version > last {
            return Ok(Err(no_version(version, last)));
        }
        let checkpoint = listed.checkpoints.range(..=version).next_back();
        let first = checkpoint.map_or(0, |(checkpoint, _)| checkpoint + 1);
        if let Some(gap) = (first..=version).find(|version| !listed.versions.contains(version)) {
            return Ok(Err(gap_at(gap, version)));
        }
        let mut replay = Replay::default();
        for part in checkpoint.iter().flat_map(|(_, parts)| parts.iter()) {
            match checkpoint::read(&self.store, &self.key(part)?, &mut |action| replay.add(action))? {
                true => {}
                false => return Ok(Err(gap_at(first - 1, version))),
            }
        }
        for (at, commit) in self.commits((first..=version).collect())? {
            let Some(commit) = commit else { return Ok(Err(gap_at(at, version))) };
            replay.add_commit(commit.actions);
        }
        replay.end(version).map(Some).map(Ok)
    }

    /// The commits of some versions, in their order, several requests at a time.
    fn commits(&self, versions: Vec<u64>) -> Result<Vec<(u64, Option<Commit>)>> {
        if self.store.is_local() {
            return versions.into_iter().map(|version| Ok((version, self.commit(version)?))).collect();
        }
        let keys = versions.iter().map(|version| self.key(&name_of(*version))).collect::<Result<Vec<_>>>()?;
        let gets = stream::iter(keys).map(|key| async move {
            match self.store.objects().get(&key).await {
                Ok(got) => {
                    let modified = got.meta.last_modified;
                    Ok(Some((key, put::Read { bytes: got.bytes().await?, modified })))
                }
                Err(object_store::Error::NotFound { .. }) => Ok(None),
                Err(e) => Err(e),
            }
        });
        let read: Vec<_> = self.store.wait(gets.buffered(READS).try_collect())?;
        let parsed = versions.into_iter().zip(read).map(|(version, read)| {
            Ok((version, read.map(|(key, read)| self.parsed(&key, read)).transpose()?))
        });
        parsed.collect()
    }

    /// The version of the checkpoint that the hint names; a hint that cannot be read is none.
    fn hinted(&self) -> Option<u64> {
        let read = put::read(&self.store, &self.key(HINT).ok()?).ok()??;
        serde_json::from_slice::<Hint>(&read.bytes).ok().map(|hint| hint.version)
    }

    /// Writes the hint.
    pub fn hint(&self, hint: &Hint) -> Result<()> {
        let text = serde_json::to_vec(hint).map_err(|e| Error::bug("JSON cannot be written").because(e))?;
        let key = self.key(HINT)?;
        Ok(self.store.wait(self.store.objects().put(&key, text.into())).map(|_| ())?)
    }

    /// The versions and checkpoints from `first` on.
    fn list(&self, first: u64) -> Result<Listed> {
        let names = if self.store.is_local() { self.local_names() } else { self.object_names(first) };
        let mut listed = Listed::default();
        let mut parts: BTreeMap<(u64, usize), BTreeMap<usize, String>> = BTreeMap::new();
        for name in names.map_err(|e| e.at("folder", self.store.address(&self.root)))? {
            match Name::of(&name) {
                Some(Name::Version(version)) if version >= first => drop(listed.versions.insert(version)),
                Some(Name::Checkpoint { version, part, parts: of }) if version >= first => {
                    parts.entry((version, of)).or_default().insert(part, name);
                }
                _ => {}
            }
        }
        for ((version, of), found) in parts {
            if found.len() == of && found.keys().copied().eq(1..=of) {
                listed.checkpoints.entry(version).or_insert_with(|| found.into_values().collect());
            }
        }
        Ok(listed)
    }

    fn local_names(&self) -> Result<Vec<String>> {
        let folder = self.store.address(&self.below(LOG)?);
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(Error::io("cannot read the Delta log", e)),
        };
        let name = |entry: std::io::Result<std::fs::DirEntry>| match entry {
            Ok(entry) => Ok(entry.file_name().to_string_lossy().into_owned()),
            Err(e) => Err(Error::io("cannot read the Delta log", e)),
        };
        entries.map(name).collect()
    }

    fn object_names(&self, first: u64) -> Result<Vec<String>> {
        // What is listed comes after the offset, and `<first>.checkpoint` sorts before `<first>.json`.
        let (prefix, offset) = (self.below(LOG)?, self.key(&digits(first))?);
        let listed = self.store.objects().list_with_offset(Some(&prefix), &offset);
        let metas: Vec<_> = self.store.wait(listed.try_collect())?;
        let is_direct =
            |path: &Path| path.as_ref().rsplit_once('/').is_some_and(|(above, _)| above == prefix.as_ref());
        let names = metas.iter().map(|meta| &meta.location).filter(|path| is_direct(path));
        Ok(names.filter_map(|path| path.filename()).map(str::to_owned).collect())
    }

    /// The last version that was committed at `time` or before; nothing where there is no table.
    fn version_at(&self, time: DateTime<Utc>) -> Result<Option<u64>> {
        let versions: Vec<u64> = self.list(0)?.versions.into_iter().collect();
        if versions.is_empty() {
            return Ok(None);
        }
        let mut first = time;
        for some in versions.rchunks(READS) {
            for (version, commit) in self.commits(some.to_vec())?.into_iter().rev() {
                let Some(commit) = commit else { continue };
                first = commit.time();
                if first <= time {
                    return Ok(Some(version));
                }
            }
        }
        let error = Error::config(format!("the Delta table has no version as old as {time}"));
        let error = error.reason("no_such_version").at("table", self.store.address(&self.root));
        Err(error.help(format!("its oldest version that is left is of {first}")))
    }
}

impl Commit {
    /// When it was made, as it says itself, or else its file.
    fn time(&self) -> DateTime<Utc> {
        let info = self.actions.iter().find_map(|action| action.commit_info.as_ref());
        let stated = info.and_then(|info| {
            let time = info.get("inCommitTimestamp").or_else(|| info.get("timestamp"))?;
            DateTime::from_timestamp_millis(time.as_i64()?)
        });
        stated.unwrap_or(self.modified)
    }
}

impl Listed {
    fn last(&self) -> Option<u64> {
        self.versions.last().copied().max(self.checkpoints.keys().next_back().copied())
    }
}

/// What a name in the log stands for.
#[derive(Debug, PartialEq)]
enum Name {
    Version(u64),
    /// Part `part` of `parts`, from 1 up.
    Checkpoint {
        version: u64,
        part: usize,
        parts: usize,
    },
}

impl Name {
    /// Nothing for other files, among them the checkpoints of V2, whose tables are refused.
    fn of(name: &str) -> Option<Name> {
        let (digits, rest) = name.split_at_checked(DIGITS)?;
        let version = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())??;
        let parts: Vec<&str> = rest.split('.').collect();
        match parts[..] {
            ["", "json"] => Some(Name::Version(version)),
            ["", "checkpoint", "parquet"] => Some(Name::Checkpoint { version, part: 1, parts: 1 }),
            ["", "checkpoint", part, parts, "parquet"] => {
                Some(Name::Checkpoint { version, part: part.parse().ok()?, parts: parts.parse().ok()? })
            }
            _ => None,
        }
    }
}

fn digits(version: u64) -> String {
    format!("{version:0DIGITS$}")
}

/// The name of a version in the log.
pub fn name_of(version: u64) -> String {
    digits(version) + ".json"
}

/// The name of a checkpoint in the log.
pub fn checkpoint_of(version: u64) -> String {
    digits(version) + ".checkpoint.parquet"
}

fn gap_at(gap: u64, version: u64) -> Error {
    let error =
        Error::data(format!("version {gap} of the Delta log is missing, which version {version} needs"));
    error.reason("delta_log_gap").help("read a later version, or restore the file")
}

fn no_version(version: u64, last: u64) -> Error {
    Error::config(format!("the Delta table has no version {version}, the last is {last}"))
        .reason("no_such_version")
}

/// Tries until the log shows no gap, or often enough.
fn again<T>(load: impl Fn() -> Result<Result<T, Error>>) -> Result<T> {
    let mut wait = FIRST_WAIT;
    for _ in 1..LISTINGS {
        if let Ok(loaded) = load()? {
            return Ok(loaded);
        }
        std::thread::sleep(wait);
        wait *= 2;
    }
    load()?
}

#[cfg(test)]
mod tests;
