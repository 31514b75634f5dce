//! Requests to a store that a commit is made of: keys joined, listed, read, removed.

use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, UpdateVersion};

use crate::error::{Error, Result};
use crate::source::Store;

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

/// All objects below a prefix.
pub fn list(store: &Store, prefix: &Path) -> Result<Vec<ObjectMeta>> {
    Ok(store.wait(store.objects().list(Some(prefix)).try_collect())?)
}

/// An object and its version, if it is there.
pub fn get(store: &Store, key: &Path) -> Result<Option<(bytes::Bytes, UpdateVersion)>> {
    let got = store.wait(async {
        let got = store.objects().get(key).await?;
        let version = UpdateVersion { e_tag: got.meta.e_tag.clone(), version: got.meta.version.clone() };
        Ok((got.bytes().await?, version))
    });
    match got {
        Ok(found) => Ok(Some(found)),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(e) => Err(Error::from(e).at("object", store.address(key))),
    }
}

/// Removes keys; one that is gone already is no error.
///
/// # Errors
/// That of the first key that could not be removed.
pub fn remove(store: &Store, keys: Vec<Path>) -> Result<()> {
    let keys = keys.into_iter().map(Ok).collect::<Vec<_>>();
    let removed = store.objects().delete_stream(stream::iter(keys).boxed());
    let outcomes: Vec<_> = store.wait(removed.collect());
    let is_failure = |e: &object_store::Error| !matches!(e, object_store::Error::NotFound { .. });
    match outcomes.into_iter().filter_map(|outcome| outcome.err()).find(is_failure) {
        // A store that answers a removal with a conflict has something else under way.
        Some(
            error @ (object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }),
        ) => Err(Error::transient("the store has refused to remove objects for now").because(error)),
        Some(error) => Err(Error::from(error)),
        None => Ok(()),
    }
}
