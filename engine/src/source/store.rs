//! Opens the store of an address and waits for its requests.
//!
//! Stores are kept for the whole process, because a store has connections and credentials, and because the
//! memory store contains its data. Credentials come only from the environment and the profiles of the user
//! (`settings`), so they are never in an address, a plan or a log. Paths are not interpreted here.

#[cfg(any(feature = "aws", feature = "azure", feature = "gcp"))]
mod client;
mod errors;
#[cfg_attr(not(feature = "aws"), allow(dead_code))]
mod profile;
#[cfg_attr(not(feature = "aws"), allow(dead_code))]
mod settings;
#[cfg(feature = "aws")]
mod uploads;

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use object_store::path::Path;
use object_store::{ObjectStore, local::LocalFileSystem, memory::InMemory};
use tokio::task::JoinHandle;

use crate::error::{Error, Result};

/// Threads for the connections of remote stores and for requests in the background (`start`). A thread that
/// waits for a request drives it itself.
const IO_THREADS: usize = 2;

/// An open store: the local file system, this process's memory, or a bucket.
#[derive(Clone, Debug)]
pub struct Store {
    objects: Arc<dyn ObjectStore>,
    /// The prefix of every address: `/`, `memory:///`, `s3://bucket/`.
    root: Arc<str>,
    reach: Reach,
    /// `None` if open uploads cannot be listed.
    uploads: Option<Arc<dyn Uploads>>,
}

/// A multipart upload that was started, and neither completed nor aborted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenUpload {
    /// The path of the object that it creates.
    pub path: Path,
    /// The upload's id in the store.
    pub id: String,
    /// When it was started, by the store's clock.
    pub begun: DateTime<Utc>,
}

/// The open uploads of a store.
pub trait Uploads: std::fmt::Debug + Send + Sync {
    /// Lists those below a prefix.
    fn list<'a>(&'a self, prefix: &'a Path) -> BoxFuture<'a, Result<Vec<OpenUpload>>>;

    /// Aborts an upload; the store then removes its parts.
    fn abort<'a>(&'a self, upload: &'a OpenUpload) -> BoxFuture<'a, Result<()>>;
}

/// The client of a remote store.
struct Client {
    objects: Arc<dyn ObjectStore>,
    uploads: Option<Arc<dyn Uploads>>,
}

/// How far away a store is, which decides what must drive its requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    Local,
    Memory,
    Network,
}

static STORES: LazyLock<Mutex<HashMap<String, Store>>> = LazyLock::new(Mutex::default);

impl Store {
    /// The store at `scheme://host`, opened once per process.
    ///
    /// # Errors
    /// Of class config for a scheme that Kiln, or this build of it, does not support.
    pub(super) fn open(scheme: &str, host: &str) -> Result<Store> {
        let key = format!("{scheme}://{host}");
        let mut stores = STORES.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = stores.get(&key) {
            return Ok(store.clone());
        }
        let store = match scheme {
            "file" => Store::new(Arc::new(LocalFileSystem::new()), "/", Reach::Local),
            "memory" => Store::new(Arc::new(InMemory::new()), "memory:///", Reach::Memory),
            _ => {
                let Client { objects, uploads } = connect(scheme, &key)?;
                Store { uploads, ..Store::new(objects, &format!("{key}/"), Reach::Network) }
            }
        };
        stores.insert(key, store.clone());
        Ok(store)
    }

    fn new(objects: Arc<dyn ObjectStore>, root: &str, reach: Reach) -> Store {
        Store { objects, root: root.into(), reach, uploads: None }
    }

    /// A store made by a test.
    #[cfg(test)]
    pub fn over(objects: Arc<dyn ObjectStore>) -> Store {
        Store::new(objects, "test:///", Reach::Memory)
    }

    /// The same store with the `uploads` of a test.
    #[cfg(test)]
    pub fn with_uploads(self, uploads: Arc<dyn Uploads>) -> Store {
        Store { uploads: Some(uploads), ..self }
    }

    /// The store itself.
    pub fn objects(&self) -> &Arc<dyn ObjectStore> {
        &self.objects
    }

    /// The open uploads below `prefix`; `None` if this store cannot list them.
    ///
    /// # Errors
    /// Auth without the permission to list them, with the reason `uploads_not_listed`; otherwise by the
    /// request that failed.
    pub fn open_uploads(&self, prefix: &Path) -> Result<Option<Vec<OpenUpload>>> {
        self.uploads.as_ref().map(|uploads| self.wait(uploads.list(prefix))).transpose()
    }

    /// Aborts an open upload; one that no longer exists is not an error.
    ///
    /// # Errors
    /// By the request that failed.
    pub fn abort_upload(&self, upload: &OpenUpload) -> Result<()> {
        match &self.uploads {
            Some(uploads) => self.wait(uploads.abort(upload)),
            None => Ok(()),
        }
    }

    /// Whether this is the file system of this machine.
    pub fn is_local(&self) -> bool {
        self.reach == Reach::Local
    }

    /// Whether requests to this store use the network.
    pub fn is_remote(&self) -> bool {
        self.reach == Reach::Network
    }

    /// Starts `request` in the background, if this is a remote store.
    pub(super) fn start<T: Send + 'static>(
        &self,
        request: impl Future<Output = T> + Send + 'static,
    ) -> Option<JoinHandle<T>> {
        self.is_remote().then(|| RUNTIME.get().map(|runtime| runtime.spawn(request))).flatten()
    }

    /// The address of `path` in this store: absolute and, except in memory, valid in any process.
    pub fn address(&self, path: &Path) -> String {
        format!("{}{path}", self.root)
    }

    /// Blocks this thread until `request` to this store is done.
    ///
    /// Call it from a plain thread, never from a tokio task, where it would block the runtime.
    pub fn wait<T>(&self, request: impl Future<Output = T>) -> T {
        match (self.reach, RUNTIME.get()) {
            // Outside a tokio context both work on this thread, without switching to another.
            (Reach::Local | Reach::Memory, _) | (Reach::Network, None) => {
                futures::executor::block_on(request)
            }
            (Reach::Network, Some(runtime)) => runtime.block_on(request),
        }
    }
}

/// Drives remote stores; set before the first one is opened.
static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();

fn start_runtime() -> Result<()> {
    if RUNTIME.get().is_none() {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(IO_THREADS).thread_name("kiln-store").enable_all();
        let runtime =
            builder.build().map_err(|e| Error::io("cannot start the threads for remote stores", e))?;
        // `STORES` is locked, so no other thread can have set it.
        let _ = RUNTIME.set(runtime);
    }
    Ok(())
}

fn connect(scheme: &str, root: &str) -> Result<Client> {
    let (feature, enabled) = feature_of(scheme)?;
    if !enabled {
        return Err(Error::config(format!("this build cannot read or write `{scheme}://`"))
            .help(format!("build with the cargo feature `{feature}` of the crate `kiln`")));
    }
    start_runtime()?;
    #[cfg(any(feature = "aws", feature = "azure", feature = "gcp"))]
    return client::open(feature, root);
    #[cfg(not(any(feature = "aws", feature = "azure", feature = "gcp")))]
    Err(Error::bug("a build without stores").at("store", root))
}

/// The cargo feature that provides the store for `scheme`, and whether this build has it.
fn feature_of(scheme: &str) -> Result<(&'static str, bool)> {
    match scheme {
        "s3" | "s3a" => Ok(("aws", cfg!(feature = "aws"))),
        "gs" => Ok(("gcp", cfg!(feature = "gcp"))),
        "az" | "adl" | "azure" | "abfs" | "abfss" => Ok(("azure", cfg!(feature = "azure"))),
        other => Err(Error::config(format!("unknown kind of address `{other}://`"))
            .help("known are plain paths, file://, memory://, s3://, gs:// and az://")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Class;

    #[test]
    fn a_store_is_opened_once() {
        let (first, second) = (Store::open("memory", "").unwrap(), Store::open("memory", "").unwrap());
        assert!(Arc::ptr_eq(first.objects(), second.objects()));
    }

    #[test]
    #[cfg(not(feature = "aws"))]
    fn a_store_that_is_not_built_in_names_its_feature() {
        let error = Store::open("s3", "bucket").unwrap_err();
        assert_eq!(error.class(), Class::Config);
        assert!(
            error.to_string().ends_with("build with the cargo feature `aws` of the crate `kiln`"),
            "{error}"
        );
    }

    #[test]
    fn an_unknown_scheme_names_the_known_ones() {
        let error = Store::open("ftp", "host").unwrap_err();
        assert_eq!((error.class(), error.message()), (Class::Config, "unknown kind of address `ftp://`"));
    }
}
