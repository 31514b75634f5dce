//! The sign of life of a driver that publishes: a small object, put again and again.
//!
//! A store drops no lock when a process dies. So a driver renews the key `owner` in its staging
//! prefix, and whoever finds one that was not renewed for long takes the driver for dead. Both times
//! are the store's: no clock of a machine is trusted.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use super::keys;
use crate::error::{Error, Result};
use crate::source::Store;

/// How often it is renewed.
const RENEWAL: Duration = Duration::from_secs(20);
/// A driver that was silent for so long is taken for dead.
const SILENCE: TimeDelta = TimeDelta::minutes(10);
/// A driver that could not renew for so long does not publish any more: others may soon think it dead.
const MAX_STALE: Duration = Duration::from_secs(300);
/// The key in the staging prefix.
const OWNER: &str = "owner";

/// The lease of this process; it is renewed until it is stopped.
pub struct Lease {
    renewed: Arc<Mutex<Instant>>,
    stopped: Arc<AtomicBool>,
    /// Wakes the thread when the lease is dropped.
    stop: Mutex<Option<Sender<()>>>,
    /// When it began, by the store's clock.
    began: DateTime<Utc>,
}

impl Lease {
    /// Puts the sign of life into `stage` and keeps it new.
    ///
    /// # Errors
    /// By the failing request.
    pub fn begin(store: &Store, stage: &Path) -> Result<Lease> {
        let key = keys::below(stage, OWNER)?;
        renew(store, &key)?;
        let began = store.wait(store.objects().head(&key))?.last_modified;
        let renewed = Arc::new(Mutex::new(Instant::now()));
        let stopped = Arc::new(AtomicBool::new(false));
        let (stop, stops) = channel();
        let (at, halted, store) = (Arc::clone(&renewed), Arc::clone(&stopped), store.clone());
        let work = move || {
            while stops.recv_timeout(RENEWAL) == Err(RecvTimeoutError::Timeout)
                && !halted.load(Ordering::SeqCst)
            {
                match renew(&store, &key) {
                    Ok(()) => *at.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now(),
                    Err(error) => log::warn!("the publish cannot show that it is alive: {error}"),
                }
            }
        };
        let thread = std::thread::Builder::new().name("kiln-lease".to_owned());
        thread.spawn(work).map_err(|e| Error::io("cannot start a thread", e))?;
        Ok(Lease { renewed, stopped, stop: Mutex::new(Some(stop)), began })
    }

    /// Fails when it could not be renewed for so long that the publish must not be ended.
    pub fn check(&self) -> Result<()> {
        let renewed = *self.renewed.lock().unwrap_or_else(PoisonError::into_inner);
        if renewed.elapsed() <= MAX_STALE {
            return Ok(());
        }
        Err(Error::transient("the store could not be reached for too long to publish"))
    }

    /// Renews it no more.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        drop(self.stop.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// Whether the driver that stages below `stage` is dead.
    pub fn is_dead(&self, store: &Store, stage: &Path) -> Result<bool> {
        let newest = match store.wait(store.objects().head(&keys::below(stage, OWNER)?)) {
            Ok(owner) => Some(owner.last_modified),
            // Half removed, or a late upload of a task whose driver is gone.
            Err(object_store::Error::NotFound { .. }) => newest(store, stage)?,
            Err(e) => return Err(e.into()),
        };
        Ok(newest.is_none_or(|newest| self.began - newest > SILENCE))
    }
}

fn renew(store: &Store, key: &Path) -> Result<()> {
    Ok(store.wait(store.objects().put(key, Vec::new().into())).map(|_| ())?)
}

fn newest(store: &Store, stage: &Path) -> Result<Option<DateTime<Utc>>> {
    use futures::TryStreamExt;
    let times = store.objects().list(Some(stage)).map_ok(|meta| meta.last_modified);
    let times: Vec<DateTime<Utc>> = store.wait(times.try_collect())?;
    Ok(times.into_iter().max())
}

/// Removes what dead drivers have staged beside `stage`.
pub fn sweep(store: &Store, stage: &Path, lease: &Lease) -> Result<()> {
    let all = keys::beside(stage, "")?;
    let listed = store.wait(store.objects().list_with_delimiter(Some(&all)))?;
    for other in listed.common_prefixes.iter().filter(|other| *other != stage) {
        if lease.is_dead(store, other)? {
            log::info!("removing what a killed job has staged: {}", store.address(other));
            keys::remove_below(store, other);
        }
    }
    Ok(())
}
