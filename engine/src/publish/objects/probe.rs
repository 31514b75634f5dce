//! Whether a store keeps conditional PUTs, on which every commit rests.
//!
//! A store that ignores `If-None-Match` or `If-Match` lets two jobs publish over each other without an error. So the first
//! publish of a process to a store asks it, with a small object beside the output, before any work.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, UpdateVersion};

use super::keys;
use crate::error::{Error, Result};
use crate::publish::BOOKS;
use crate::source::Store;

/// How often a store is asked that loses its replies.
const MAX_PROBES: u32 = 5;

/// Stores that have passed.
static PASSED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Fails unless the store of `target` refuses a PUT whose condition does not hold.
///
/// # Errors
/// Config with the reason `no_conditional_put`; else by the failing request.
pub fn check(store: &Store, target: &Path) -> Result<()> {
    let root = store.address(&Path::default());
    let mut passed = PASSED.lock().unwrap_or_else(PoisonError::into_inner);
    if passed.contains(&root) {
        return Ok(());
    }
    let mut probes = 1;
    loop {
        // A new key each time: a request of an earlier probe may still land.
        let name = format!("probe-{}", uuid::Uuid::new_v4());
        let key = keys::below(&keys::beside(target, BOOKS)?, &name)?;
        let answer = probe(store, &key);
        let _ = store.wait(store.objects().delete(&key));
        match answer {
            Err(error) if error.is_retryable() && probes < MAX_PROBES => probes += 1,
            Err(error) => return Err(error),
            Ok(()) => break,
        }
    }
    passed.insert(root);
    Ok(())
}

fn probe(store: &Store, key: &Path) -> Result<()> {
    let put = |text: &'static str, mode: PutMode| {
        store.wait(store.objects().put_opts(key, text.into(), PutOptions::from(mode)))
    };
    put("first", PutMode::Create).map_err(lost)?;
    // The tag of a version that is no more: the first one's, once another is there.
    let Some((_, stale)) = keys::get(store, key)? else { return Err(refused("it lost an object")) };
    match put("second", PutMode::Create) {
        Ok(_) => return Err(refused("it replaced an object in spite of If-None-Match")),
        Err(e) if is_refusal(&e) => {}
        Err(e) => return Err(e.into()),
    }
    let replaced = put("third", PutMode::Update(UpdateVersion { ..stale.clone() }));
    replaced.map_err(|e| match e {
        object_store::Error::NotImplemented { .. } => refused("it knows no If-Match"),
        other => lost(other),
    })?;
    match put("fourth", PutMode::Update(stale)) {
        Ok(_) => Err(refused("it replaced an object in spite of If-Match")),
        Err(e) if is_refusal(&e) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

/// The error of a PUT whose condition holds: a refusal means that it was applied, and sent again when its reply was lost.
fn lost(error: object_store::Error) -> Error {
    match is_refusal(&error) {
        true => Error::transient("the store loses replies").because(error),
        false => error.into(),
    }
}

fn is_refusal(error: &object_store::Error) -> bool {
    use object_store::Error as O;
    matches!(error, O::AlreadyExists { .. } | O::Precondition { .. })
}

fn refused(what: &str) -> Error {
    Error::config(format!("the object store cannot publish safely: {what}")).reason("no_conditional_put").help(
        "two jobs could publish over each other; publish to a store with conditional PUT (S3, GCS, Azure, MinIO, R2, Ceph \
         since 18), or to a local disk",
    )
}
