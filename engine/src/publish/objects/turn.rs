//! Whose turn it is to commit to a target: one object, changed only by who has read it last.
//!
//! `.kiln-stage/<name>.turn` says who commits, what that commit adds and what it removes. It is put
//! where there is none, or in the place of the version that was read (If-Match), so that of two jobs
//! one gets the turn. When its holder is dead, the next job ends what it began: with the marker
//! put, the removals; without it, the removal of what was added.

use std::time::{Duration, Instant};

use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, UpdateVersion};
use serde::{Deserialize, Serialize};

use super::lease::Lease;
use super::{MARKER, Marker, keys};
use crate::error::{Error, Result};
use crate::job::Cancel;
use crate::publish::STAGE;
use crate::source::Store;

/// How long a commit waits for the one before it.
const LIMIT: Duration = Duration::from_secs(600);
/// How often it looks.
const LOOK: Duration = Duration::from_millis(200);

/// What a commit changes at its target, by key.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Record {
    pub adds: Vec<String>,
    pub removes: Vec<String>,
}

/// What the object holds.
#[derive(Debug, Serialize, Deserialize)]
struct State {
    /// Different each time: a store tells versions apart by what is in them.
    nonce: String,
    /// The publish that commits.
    holder: Option<String>,
    record: Record,
}

/// The turn, taken.
pub struct Turn<'a> {
    store: &'a Store,
    key: Path,
    holder: &'a str,
    version: UpdateVersion,
}

impl<'a> Turn<'a> {
    /// Waits for the turn at `target`.
    ///
    /// # Errors
    /// Cancelled when the job is to stop, transient when the one before takes too long.
    pub fn take(store: &'a Store, target: &Path, holder: &'a str, cancel: &Cancel) -> Result<Turn<'a>> {
        let (key, end) = (key_of(target)?, Instant::now() + LIMIT);
        loop {
            if let Some(turn) = try_take(store, &key, holder)? {
                return Ok(turn);
            }
            if cancel.is_requested() {
                return Err(Error::job_stopped());
            }
            if Instant::now() > end {
                return Err(Error::transient("another job commits to the same place and does not end").help(
                    "a job that was killed in its commit is given up ten minutes later; run this one again",
                ));
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Writes down what the commit will change, before it does.
    pub fn record(mut self, record: &Record) -> Result<Turn<'a>> {
        let state = State::new(Some(self.holder), record.clone());
        self.version = put(self.store, &self.key, &state, PutMode::Update(self.version))?.ok_or_else(lost)?;
        Ok(self)
    }

    /// Lets the next one commit.
    pub fn give_back(self) -> Result<()> {
        let state = State::new(None, Record::default());
        put(self.store, &self.key, &state, PutMode::Update(self.version))?.map(|_| ()).ok_or_else(lost)
    }
}

impl State {
    fn new(holder: Option<&str>, record: Record) -> State {
        let nonce = uuid::Uuid::new_v4().to_string();
        State { nonce, holder: holder.map(str::to_owned), record }
    }
}

fn lost() -> Error {
    Error::transient("another job has taken this one for dead and its turn to commit")
}

/// Takes the turn if it is nobody's.
fn try_take<'a>(store: &'a Store, key: &Path, holder: &'a str) -> Result<Option<Turn<'a>>> {
    let mode = match read(store, key)? {
        None => PutMode::Create,
        Some((State { holder: None, .. }, version)) => PutMode::Update(version),
        // A put whose answer was lost and that was sent again has been ours.
        Some((state, version)) if state.holder.as_deref() == Some(holder) => {
            return Ok(Some(Turn { store, key: key.clone(), holder, version }));
        }
        Some(_) => return Ok(None),
    };
    let state = State::new(Some(holder), Record::default());
    let taken = put(store, key, &state, mode)?;
    Ok(taken.map(|version| Turn { store, key: key.clone(), holder, version }))
}

/// Ends what a dead job has begun at `target`.
pub fn recover(store: &Store, target: &Path, stage: &Path, lease: &Lease) -> Result<()> {
    let key = key_of(target)?;
    let Some((state, version)) = read(store, &key)? else { return Ok(()) };
    let Some(dead) = &state.holder else { return Ok(()) };
    if !lease.is_dead(store, &keys::beside(stage, dead)?)? {
        return Ok(());
    }
    log::info!("ending the commit of a killed job at {}", store.address(target));
    let me = State::new(stage.filename(), state.record.clone());
    let Some(version) = put(store, &key, &me, PutMode::Update(version))? else { return Ok(()) };
    settle(store, target, dead, &state.record)?;
    let turn = Turn { store, key, holder: stage.filename().unwrap_or_default(), version };
    turn.give_back()
}

/// Ends the commit `record` of `publish`, whose marker was put or not; says which.
pub fn settle(store: &Store, target: &Path, publish: &str, record: &Record) -> Result<bool> {
    let is_committed = marked_by(store, target)?.is_some_and(|marker| marker.publish == publish);
    keys::remove(store, if is_committed { &record.removes } else { &record.adds })?;
    Ok(is_committed)
}

fn marked_by(store: &Store, target: &Path) -> Result<Option<Marker>> {
    let bytes = get(store, &keys::below(target, MARKER)?)?;
    // A marker that another program has put is not of ours, so none of our commits.
    Ok(bytes.and_then(|(bytes, _)| serde_json::from_slice(&bytes).ok()))
}

fn key_of(target: &Path) -> Result<Path> {
    let name = target.filename().unwrap_or_default();
    keys::below(&keys::beside(target, STAGE)?, &format!("{name}.turn"))
}

fn read(store: &Store, key: &Path) -> Result<Option<(State, UpdateVersion)>> {
    let Some((bytes, version)) = get(store, key)? else { return Ok(None) };
    let state = serde_json::from_slice(&bytes).map_err(|e| {
        Error::data("an object of an earlier commit cannot be read")
            .because(e)
            .at("object", store.address(key))
    })?;
    Ok(Some((state, version)))
}

fn get(store: &Store, key: &Path) -> Result<Option<(bytes::Bytes, UpdateVersion)>> {
    let got = store.wait(async {
        let got = store.objects().get(key).await?;
        let version = UpdateVersion { e_tag: got.meta.e_tag.clone(), version: got.meta.version.clone() };
        Ok((got.bytes().await?, version))
    });
    match got {
        Ok(found) => Ok(Some(found)),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(e) => Err(e.into()),
    }
}

/// Puts the object; `None` when someone else was first.
fn put(store: &Store, key: &Path, state: &State, mode: PutMode) -> Result<Option<UpdateVersion>> {
    let text = serde_json::to_vec(state).map_err(|e| Error::bug("JSON cannot be written").because(e))?;
    let put = store.wait(store.objects().put_opts(key, text.into(), PutOptions::from(mode)));
    match put {
        Ok(done) => Ok(Some(UpdateVersion { e_tag: done.e_tag, version: done.version })),
        // A store may answer so to the second try of a put whose first try it has done.
        Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {
            let found = read(store, key)?;
            Ok(found.filter(|(found, _)| found.nonce == state.nonce).map(|(_, version)| version))
        }
        Err(e) => Err(e.into()),
    }
}
