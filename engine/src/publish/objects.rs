//! The commit in an object store, where nothing can be renamed.
//!
//! Tasks upload below `.kiln-stage/<name>-<uuid>/` beside the target. The commit takes the target's
//! turn (`turn`), which writes down what it will add and remove, copies the files to their keys inside
//! the store, puts the marker `_SUCCESS`, and then removes what it replaces:
//!
//! ```text
//! staged uploads ─ turn taken, with a record ─ copies ─ _SUCCESS ─ removals ─ turn given back
//!                                              └ killed here: taken back ┘ └ killed here: ended ┘
//! ```
//!
//! The marker is the commit. It holds the names, rows and bytes of the files that this publish
//! added, and a reader that goes by it sees a whole output. A reader that lists keys and does not
//! look for the marker can see copies before it and replaced files after it, for as long as the commit
//! takes; the keys of two publishes are never the same, so that it can get an error but no mix within
//! one file. A job that is killed before its commit leaves keys below `.kiln-stage/` alone. What a
//! killed job leaves, in its commit or before, the next publish there puts in order, once the driver
//! has been silent for ten minutes by the store's clock (`lease`). Of two jobs in mode error one wins,
//! because the marker is put only where there is none and the turn is one job's at a time.

mod keys;
mod lease;
mod turn;

use std::sync::{Arc, Mutex, PoisonError};

use object_store::path::Path;
use object_store::{ObjectStoreExt, PutMode};
use serde::{Deserialize, Serialize};

use super::mode::{exists, not_a_folder};
use super::{Mode, Part, Place, STAGE, tagged};
use crate::error::{Error, Result};
use crate::job::{Cancel, CleanupGuard, Output, Run};
use crate::source::{Location, Store};
use lease::Lease;
use turn::{Record, Turn};

/// The key that ends a commit, as Spark and Hadoop name it.
const MARKER: &str = "_SUCCESS";
/// How much of a publish's id stands in the names of its files.
const TAG_CHARS: usize = 8;

/// An output that is being made. Dropped before [`commit`](ObjectPublication::commit), it leaves nothing.
pub struct ObjectPublication {
    /// The address of the target.
    uri: String,
    store: Store,
    target: Path,
    /// Where this publish stages: `.kiln-stage/<name>-<uuid>` beside the target.
    stage: Path,
    mode: Mode,
    cancel: Cancel,
    lease: Lease,
    /// Whether the commit has begun: from then on the process that is told to end leaves the
    /// staged files to the next publish, which knows what to do with them.
    committing: Arc<Mutex<bool>>,
    _cleanup: CleanupGuard,
}

/// What the marker says.
#[derive(Debug, Serialize, Deserialize)]
struct Marker {
    /// The publish that put it.
    publish: String,
    /// What it has added.
    files: Vec<MarkedFile>,
}

#[derive(Debug, Serialize, Deserialize)]
struct MarkedFile {
    name: String,
    rows: u64,
    bytes: u64,
}

impl ObjectPublication {
    /// Prepares to publish below the prefix `output`; `None` when there is nothing to do.
    ///
    /// # Errors
    /// Config when the mode does not allow what is there, auth without permission.
    pub fn begin(output: Location, mode: Mode, run: &Run) -> Result<Option<ObjectPublication>> {
        let uri = output.uri();
        let Location { store, path: target, .. } = output;
        let name = target.filename().unwrap_or_default();
        let id = uuid::Uuid::new_v4().to_string();
        let stage = keys::beside(&target, STAGE)?;
        let stage = keys::below(&stage, &format!("{name}-{id}"))?;
        let began = begin_at(&store, &target, &stage, mode).map_err(|e| e.at("output", &uri));
        let Some(lease) = began? else { return Ok(None) };
        let committing = Arc::new(Mutex::new(false));
        let (gate, doomed, at) = (Arc::clone(&committing), stage.clone(), store.clone());
        let cleanup = run.cleanup.register(Box::new(move || {
            if gate.try_lock().is_ok_and(|committing| !*committing) {
                keys::remove_below(&at, &doomed);
            }
        }));
        let cancel = run.cancel.clone();
        Ok(Some(ObjectPublication {
            uri,
            store,
            target,
            stage,
            mode,
            cancel,
            lease,
            committing,
            _cleanup: cleanup,
        }))
    }

    /// Where tasks write their files.
    pub fn place(&self) -> Place {
        Place::Store(self.store.address(&self.stage))
    }

    /// Publishes the files in `parts`, and no others.
    ///
    /// # Errors
    /// Config when something has appeared at the target meanwhile; else by the failing request.
    pub fn commit(self, partitions: u64, mut parts: Vec<Part>) -> Result<Output> {
        let tag = self.tag().to_owned();
        parts.iter_mut().for_each(|part| part.name = tagged(&part.name, &tag));
        *self.committing.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.commit_parts(&mut parts).map_err(|e| e.at("output", &self.uri))?;
        Ok(super::output(self.uri.clone(), partitions, &parts))
    }

    fn commit_parts(&self, parts: &mut Vec<Part>) -> Result<()> {
        let turn = Turn::take(&self.store, &self.target, self.id(), &self.cancel)?;
        let old = keys::list(&self.store, &self.target)?;
        if !self.mode.joins() && !old.is_empty() {
            turn.give_back()?;
            return Err(exists(&self.uri));
        }
        if self.mode == Mode::Append && !old.is_empty() {
            // A file without rows says what columns there are; here others do.
            parts.retain(|part| part.rows > 0);
        }
        let record = self.record(&old, parts)?;
        let turn = turn.record(&record)?;
        match self.copy_and_mark(parts) {
            Ok(()) => {
                // The output is there; what it replaces goes, now or at the next publish.
                if let Err(error) = keys::remove(&self.store, &record.removes).and_then(|()| turn.give_back())
                {
                    log::warn!("{error}");
                }
                Ok(())
            }
            Err(error) => {
                // Whether the marker was put is known only by looking.
                if turn::settle(&self.store, &self.target, self.id(), &record)? {
                    log::warn!("published, in spite of: {error}");
                    return turn.give_back();
                }
                turn.give_back()?;
                Err(error)
            }
        }
    }

    /// What the commit will add and remove.
    fn record(&self, old: &[Path], parts: &[Part]) -> Result<Record> {
        let adds: Vec<String> = parts
            .iter()
            .map(|part| Ok(keys::below(&self.target, &part.name)?.to_string()))
            .collect::<Result<_>>()?;
        let folder = |key: &str| key.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
        let touched: Vec<String> = adds.iter().map(|key| folder(key)).collect();
        let marker = keys::below(&self.target, MARKER)?;
        let is_replaced = |key: &&Path| match self.mode {
            Mode::Overwrite => **key != marker,
            Mode::ReplacePartitions => touched.contains(&folder(key.as_ref())),
            _ => false,
        };
        let removes = old.iter().filter(is_replaced).map(Path::to_string).collect();
        Ok(Record { adds, removes })
    }

    fn copy_and_mark(&self, parts: &[Part]) -> Result<()> {
        let copies = parts.iter().map(|part| {
            Ok((keys::below(&self.stage, &part.staged)?, keys::below(&self.target, &part.name)?))
        });
        keys::copy(&self.store, copies.collect::<Result<Vec<_>>>()?)?;
        self.lease.check()?;
        if self.cancel.is_requested() {
            return Err(Error::job_stopped());
        }
        let file = |part: &Part| MarkedFile { name: part.name.clone(), rows: part.rows, bytes: part.bytes };
        let marker = Marker { publish: self.id().to_owned(), files: parts.iter().map(file).collect() };
        let key = keys::below(&self.target, MARKER)?;
        let mode = if self.mode.joins() { PutMode::Overwrite } else { PutMode::Create };
        keys::put_json(&self.store, &key, &marker, mode)
    }

    /// The name of the staging prefix, which names this publish.
    fn id(&self) -> &str {
        self.stage.filename().unwrap_or_default()
    }

    fn tag(&self) -> &str {
        let uuid = self.id().len().saturating_sub(uuid::fmt::Hyphenated::LENGTH);
        &self.id()[uuid..uuid + TAG_CHARS]
    }
}

impl Drop for ObjectPublication {
    fn drop(&mut self) {
        self.lease.stop();
        keys::remove_below(&self.store, &self.stage);
    }
}

/// Takes a lease, puts in order what killed jobs have left, and looks at what is there.
fn begin_at(store: &Store, target: &Path, stage: &Path, mode: Mode) -> Result<Option<Lease>> {
    let lease = Lease::begin(store, stage)?;
    let looked = turn::recover(store, target, stage, &lease).and_then(|()| {
        lease::sweep(store, stage, &lease)?;
        is_free(store, target, mode)
    });
    if !matches!(looked, Ok(true)) {
        lease.stop();
        keys::remove_below(store, stage);
    }
    Ok(looked?.then_some(lease))
}

/// Whether there is something to do; an error when the mode does not allow what is there.
fn is_free(store: &Store, target: &Path, mode: Mode) -> Result<bool> {
    let is_object = match store.wait(store.objects().head(target)) {
        Ok(_) => true,
        Err(object_store::Error::NotFound { .. }) => false,
        Err(e) => return Err(e.into()),
    };
    let is_prefix = !is_object && keys::has_any(store, target)?;
    match mode {
        Mode::Ignore => Ok(!is_object && !is_prefix),
        Mode::Error if is_object || is_prefix => Err(exists(&store.address(target))),
        _ if is_object => Err(not_a_folder(&store.address(target))),
        _ => Ok(true),
    }
}
