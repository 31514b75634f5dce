//! Reads ranges of one version of an object.
//!
//! A piece identifies the object and its version. [`Object::fetch`] starts a request for a range ([`Fetch`]),
//! so several can be in flight. Every request is conditional on the ETag, and every response is checked as
//! well, because some stores ignore the condition. The time of a request and the number of concurrent
//! requests are limited here.

use std::ops::Range;
use std::sync::{Arc, LazyLock, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{GetOptions, GetResult};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::split::Piece;
use super::store::Store;
use super::version::{Version, are_same, changed};
use crate::error::{Error, Result};

/// The time limit for the bytes of one range, including the client's retries. Ranges have a few MiB, so even
/// a slow connection needs only part of it; beyond it the answer is not coming, and the task is retried.
const READ_LIMIT: Duration = Duration::from_secs(120);

/// The most concurrent range requests of this process: each connection uses a file descriptor, and stores
/// throttle clients with more requests.
const MAX_REQUESTS: usize = 128;

static REQUESTS: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(MAX_REQUESTS));

/// One version of an object; clones share it.
#[derive(Clone)]
pub(super) struct Object(Arc<Inner>);

struct Inner {
    store: Store,
    path: Path,
    size: u64,
    version: Version,
    /// The ETag of the first response, if the listing had none.
    first_tag: OnceLock<String>,
}

impl Object {
    /// The object of `piece` at `path`: the one of its read-ahead, if there is one, whose responses pin the
    /// version.
    pub(super) fn of(store: Store, path: Path, piece: &Piece) -> Object {
        piece.ahead.object().unwrap_or_else(|| Object::new(store, path, piece))
    }

    /// A new object, whose version is not pinned yet.
    pub(super) fn new(store: Store, path: Path, piece: &Piece) -> Object {
        let (size, version) = (piece.size, piece.version.clone());
        Object(Arc::new(Inner { store, path, size, version, first_tag: OnceLock::new() }))
    }

    /// Requests the bytes of `range`, which must be within the object and not empty.
    pub(super) fn fetch(&self, range: Range<u64>) -> Fetch {
        let request = self.clone().get(range.clone());
        match self.0.store.start(request) {
            Some(handle) => Fetch::Running(Running(handle), self.0.store.clone()),
            None => Fetch::Later(self.clone(), range),
        }
    }

    async fn get(self, range: Range<u64>) -> Result<Bytes> {
        if !self.0.store.is_remote() {
            return self.request(range).await;
        }
        // The semaphore is never closed.
        let _permit = REQUESTS.acquire().await;
        let answer = tokio::time::timeout(READ_LIMIT, self.request(range)).await;
        answer.unwrap_or_else(|_| {
            let text = format!("the store sent no answer for {} s", READ_LIMIT.as_secs());
            Err(Error::transient(text).reason("store_timeout"))
        })
    }

    async fn request(&self, range: Range<u64>) -> Result<Bytes> {
        let Inner { store, path, size, version, .. } = &*self.0;
        let tag = version.tag().or(self.0.first_tag.get().map(String::as_str));
        // A listing may omit the quotes that a request needs; the memory store does not use quotes.
        let needs_quotes = store.is_remote() && !tag.is_some_and(|tag| tag.ends_with('"'));
        let if_match = tag.map(|tag| if needs_quotes { format!("\"{tag}\"") } else { tag.to_owned() });
        let options = GetOptions { range: Some(range.clone().into()), if_match, ..GetOptions::default() };
        let answer = match store.objects().get_opts(path, options).await {
            Err(object_store::Error::Precondition { .. }) => return Err(changed("object")),
            // A shorter new version of the object may not contain the range at all.
            Err(error) if error.to_string().contains("InvalidRange") => return Err(changed("object")),
            answer => answer?,
        };
        version.check_object(*size, &answer.meta)?;
        self.check_first(&answer)?;
        let bytes = answer.bytes().await?;
        if bytes.len() as u64 != range.end - range.start {
            return Err(Error::transient("the store sent less than it was asked for"));
        }
        Ok(bytes)
    }

    /// Refuses a response whose ETag differs from the first one.
    fn check_first(&self, answer: &GetResult) -> Result<()> {
        let Some(found) = answer.meta.e_tag.as_deref() else { return Ok(()) };
        let first = self.0.first_tag.get_or_init(|| found.to_owned());
        if are_same(first, found) { Ok(()) } else { Err(changed("object")) }
    }
}

/// Bytes that were requested.
pub(super) enum Fetch {
    /// The request is in flight.
    Running(Running, Store),
    /// Without a runtime in the background, the bytes are read by the task that waits for them.
    Later(Object, Range<u64>),
}

impl Fetch {
    /// Waits for the bytes.
    ///
    /// # Errors
    /// Of class data when the object has changed, otherwise by the operation that failed.
    pub(super) fn wait(self) -> Result<Bytes> {
        match self {
            Fetch::Running(mut running, store) => store
                .wait(&mut running.0)
                .unwrap_or_else(|e| Err(Error::bug("a request to a store ended early").because(e))),
            Fetch::Later(object, range) => object.0.store.wait(object.clone().get(range)),
        }
    }
}

/// A request that is aborted when it is dropped.
pub(super) struct Running(JoinHandle<Result<Bytes>>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}
