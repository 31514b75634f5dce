//! Requests to a store that a commit is made of: keys joined, listed, copied, removed.

use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use serde::Serialize;

use crate::error::{Error, Result};
use crate::source::Store;

/// Copies that are under way at once: a store answers many, and a commit should be short.
const COPIES: usize = 16;

/// The key `name` in the same prefix as `key`.
pub fn beside(key: &Path, name: &str) -> Result<Path> {
    let above = key.as_ref().rsplit_once('/').map_or("", |(above, _)| above);
    below(&Path::parse(above).map_err(malformed)?, name)
}

/// The key `name`, which may have slashes in it, below the prefix `key`.
pub fn below(key: &Path, name: &str) -> Result<Path> {
    let slash = if key.as_ref().is_empty() { "" } else { "/" };
    Path::parse(format!("{key}{slash}{name}")).map_err(malformed)
}

fn malformed(error: object_store::path::Error) -> Error {
    Error::config("a name in the output is no key of a store").because(error)
}

/// All keys below a prefix.
pub fn list(store: &Store, prefix: &Path) -> Result<Vec<Path>> {
    let keys = store.objects().list(Some(prefix)).map_ok(|meta| meta.location).try_collect();
    Ok(store.wait(keys)?)
}

/// Whether there is a key below a prefix.
pub fn has_any(store: &Store, prefix: &Path) -> Result<bool> {
    let mut keys = store.objects().list(Some(prefix));
    Ok(store.wait(keys.next()).transpose()?.is_some())
}

/// Copies inside the store.
pub fn copy(store: &Store, pairs: Vec<(Path, Path)>) -> Result<()> {
    let copies = stream::iter(pairs).map(|(from, to)| async move { store.objects().copy(&from, &to).await });
    Ok(store.wait(copies.buffer_unordered(COPIES).try_collect::<()>())?)
}

/// Removes keys; one that is gone already is no error.
pub fn remove(store: &Store, keys: &[String]) -> Result<()> {
    let keys = keys.iter().map(|key| Path::parse(key).map_err(object_store::Error::from)).collect::<Vec<_>>();
    let removed = store.objects().delete_stream(stream::iter(keys).boxed());
    let outcomes: Vec<_> = store.wait(removed.collect());
    let is_failure = |e: &object_store::Error| !matches!(e, object_store::Error::NotFound { .. });
    match outcomes.into_iter().filter_map(|outcome| outcome.err()).find(is_failure) {
        Some(error) => Err(Error::from(error)),
        None => Ok(()),
    }
}

/// Removes all keys below a prefix, as well as it can be done: what stays is swept later.
pub fn remove_below(store: &Store, prefix: &Path) {
    let keys = list(store, prefix).map(|keys| keys.iter().map(Path::to_string).collect::<Vec<_>>());
    if let Err(error) = keys.and_then(|keys| remove(store, &keys)) {
        log::warn!("{} cannot be removed: {error}", store.address(prefix));
    }
}

/// Puts an object of JSON.
pub fn put_json(store: &Store, key: &Path, value: &impl Serialize, mode: PutMode) -> Result<()> {
    let text = serde_json::to_vec(value).map_err(|e| Error::bug("JSON cannot be written").because(e))?;
    let put = store.objects().put_opts(key, text.into(), PutOptions::from(mode));
    store.wait(put).map(|_| ()).map_err(|e| Error::from(e).at("object", store.address(key)))
}
