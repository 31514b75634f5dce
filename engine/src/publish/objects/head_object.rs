//! The head of an output in an object store: `_kiln/heads/<name>.json` beside it, changed by conditional PUTs.
//!
//! A PUT on a condition (`If-Match`, `If-None-Match`) either takes the place of the version that was read or does nothing.
//! Its reply can be lost, and it can land later than the client gave it up. So after any error the head is read back:
//! its nonce shows whose version it is. A PUT that has not landed is sent again, the same bytes on the same condition;
//! it is given up only when another version is there, because then it can never land. The method is that of the
//! commit loop of Delta Lake's log store.

use std::time::{Duration, Instant};

use object_store::path::Path;
use object_store::{ObjectStore, PutMode, PutOptions, UpdateVersion};

use super::Stored;
use super::keys;
use crate::error::{Class, Error, Result};
use crate::failpoint;
use crate::publish::pause::Pause;
use crate::publish::{OUTCOME_UNKNOWN, head};
use crate::source::{Store, head_key};

/// How long the outcome of a PUT is asked for.
const RESOLVE_LIMIT: Duration = Duration::from_secs(120);

/// The head of an output in a store.
pub type Head = head::Head<Stored>;

/// Where the head is.
pub struct HeadObject {
    store: Store,
    key: Path,
}

/// What a change wants.
pub enum Change<T> {
    /// The head is put.
    Put(T),
    /// The head stays as it was read.
    Keep(T),
    /// The same, and the answer rests on more than the head: it counts only if the head is still that one.
    KeepIfCurrent(T),
}

impl HeadObject {
    /// The head of the output `target`.
    pub fn of(store: &Store, target: &Path) -> Result<HeadObject> {
        Ok(HeadObject { store: store.clone(), key: head_key(target)? })
    }

    /// Reads the head, changes it, and puts it unless it was changed meanwhile; then all of it again.
    ///
    /// # Errors
    /// Those of `change` about a head that is still there, after which nothing was put; transient or auth with the reason `outcome_unknown` when the store
    /// does not answer whether the head was put.
    pub fn change<T>(&self, mut change: impl FnMut(&mut Head) -> Result<Change<T>>) -> Result<T> {
        let begun = Instant::now();
        let mut pause = Pause::default();
        let mut has_put = false;
        loop {
            let (mut head, version) = self.read_after(has_put)?;
            let answer = match change(&mut head) {
                Ok(Change::Put(done)) if self.put(&head, version.clone(), begun)? => return Ok(done),
                Ok(Change::Put(_)) => None,
                Ok(Change::Keep(done)) => return Ok(done),
                Ok(Change::KeepIfCurrent(done)) => Some(Ok(done)),
                Err(error) => Some(Err(error)),
            };
            // What was seen in the store since the head was read may be of an attempt that it does not know.
            match answer {
                Some(answer) if is_same(&self.read_after(has_put)?.1, &version) => return answer,
                Some(_) => {}
                None => has_put = true,
            }
            pause.wait();
        }
    }

    /// The head; once one was put, an error leaves open whether that one is there, or was, as another may have followed it.
    fn read_after(&self, has_put: bool) -> Result<(Head, Option<UpdateVersion>)> {
        self.read().map_err(|error| if has_put { self.unknown(error) } else { error })
    }

    /// Whether the head is this one now; when not, another one is.
    fn put(&self, head: &Head, version: Option<UpdateVersion>, begun: Instant) -> Result<bool> {
        let text = serde_json::to_vec(head).map_err(|e| Error::bug("JSON cannot be written").because(e))?;
        let text = bytes::Bytes::from(text);
        let mut pause = Pause::default();
        loop {
            let mode = version.clone().map_or(PutMode::Create, PutMode::Update);
            let put = self.store.objects().put_opts(&self.key, text.clone().into(), PutOptions::from(mode));
            let Err(error) = self.store.wait(put) else { return Ok(true) };
            let error = Error::from(error);
            // No error shows what is in the store: even a refusal may follow a try whose reply was lost.
            let is_final = error.class() == Class::Auth || begun.elapsed() >= failpoint::limit(RESOLVE_LIMIT);
            match self.read() {
                Ok((now, _)) if now.nonce() == head.nonce() => return Ok(true),
                Ok((_, now)) if !is_same(&now, &version) => return Ok(false),
                Ok(_) | Err(_) if !is_final => pause.wait(),
                Ok(_) | Err(_) => return Err(self.unknown(error)),
            }
        }
    }

    /// The head, and the version on which a change is conditional; a new head where there is none.
    pub fn read(&self) -> Result<(Head, Option<UpdateVersion>)> {
        let Some((bytes, version)) = keys::get(&self.store, &self.key)? else {
            return Ok((Head::default(), None));
        };
        let head = serde_json::from_slice(&bytes).map_err(|e| {
            let error = Error::data("the record of what was published cannot be read").because(e);
            error.at("object", self.store.address(&self.key))
        })?;
        Ok((head, Some(version)))
    }

    fn unknown(&self, cause: Error) -> Error {
        let error = match cause.class() {
            Class::Auth => Error::auth("the store refuses to answer whether the output was published"),
            _ => Error::transient("the store does not answer whether the output was published"),
        };
        error
            .reason(OUTCOME_UNKNOWN)
            .at("object", self.store.address(&self.key))
            .because(cause)
            .help("run the job again with the same run id: it finds out, and publishes only what is missing")
    }
}

fn is_same(one: &Option<UpdateVersion>, other: &Option<UpdateVersion>) -> bool {
    let parts = |version: &Option<UpdateVersion>| {
        version.as_ref().map(|version| (version.e_tag.clone(), version.version.clone()))
    };
    parts(one) == parts(other)
}
