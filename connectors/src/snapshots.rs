//! Connections that see one moment, opened by the driver and read by the tasks of its process.
//!
//! SQLite, MySQL and MariaDB give a snapshot to nobody but the connection that has it. So planning opens several, shows that
//! they see the same moment, and keeps them here under a name that splits carry. A task takes one, reads, and gives it back:
//! whichever it gets, its rows are those of that moment. A task of another process finds no such name.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use kiln::{Error, Result};

use crate::wait::Check;

/// While waiting for a connection, how often is checked whether the task is to stop.
const CHECK_EVERY: Duration = Duration::from_millis(100);

/// The reason of an error after all connections of a snapshot were lost.
pub(crate) const SNAPSHOT_LOST: &str = "snapshot_lost";

/// The snapshots of this process by their names: those that a dataset still holds.
pub(crate) struct Registry<C>(Mutex<Option<HashMap<String, Weak<Snapshot<C>>>>>);

/// Connections that see one moment.
pub(crate) struct Snapshot<C> {
    name: String,
    connections: Mutex<Connections<C>>,
    given_back: Condvar,
}

struct Connections<C> {
    free: Vec<C>,
    /// Those that a task has.
    taken: usize,
}

/// A connection of a snapshot. Dropped, it is given back; one that has become useless is [lost](Lease::lose).
pub(crate) struct Lease<C> {
    snapshot: Arc<Snapshot<C>>,
    connection: Option<C>,
}

impl<C> Registry<C> {
    pub(crate) const fn new() -> Registry<C> {
        Registry(Mutex::new(None))
    }

    /// Keeps connections that see one moment, for as long as the snapshot that is returned lives.
    pub(crate) fn keep(&self, connections: Vec<C>) -> Arc<Snapshot<C>> {
        let connections = Mutex::new(Connections { free: connections, taken: 0 });
        let snapshot = Arc::new(Snapshot { name: new_name(), connections, given_back: Condvar::new() });
        let mut known = locked(&self.0);
        let known = known.get_or_insert_default();
        known.retain(|_, snapshot| snapshot.strong_count() > 0);
        known.insert(snapshot.name.clone(), Arc::downgrade(&snapshot));
        snapshot
    }

    /// The snapshot of that name, if this process has it.
    pub(crate) fn find(&self, name: &str) -> Option<Arc<Snapshot<C>>> {
        locked(&self.0).as_ref()?.get(name)?.upgrade()
    }
}

/// A name that no other process has.
fn new_name() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    format!("{}-{now}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

impl<C> Snapshot<C> {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Takes a connection, once one is free.
    ///
    /// # Errors
    /// Transient, with the reason `snapshot_lost`, when all of them are lost, and with the reason `connection_limit` after
    /// `limit`; that of `check` when the task is to stop.
    pub(crate) fn take(self: &Arc<Self>, limit: Duration, check: Check<'_>) -> Result<Lease<C>> {
        let end = Instant::now() + limit;
        let mut connections = locked(&self.connections);
        loop {
            if let Some(connection) = connections.free.pop() {
                connections.taken += 1;
                return Ok(Lease { snapshot: Arc::clone(self), connection: Some(connection) });
            }
            if connections.taken == 0 {
                return Err(lost());
            }
            check()?;
            if Instant::now() >= end {
                let text = format!("no connection of the snapshot was free for {limit:?}");
                return Err(Error::transient(text).reason("connection_limit"));
            }
            connections = self
                .given_back
                .wait_timeout(connections, CHECK_EVERY)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}

impl<C> Lease<C> {
    /// The connection.
    ///
    /// # Errors
    /// A bug once it has been taken out.
    pub(crate) fn get(&mut self) -> Result<&mut C> {
        self.connection.as_mut().ok_or_else(|| Error::bug("a connection is used after its end"))
    }

    /// Takes the connection out: the snapshot has one less, unless it is [put back](Lease::put_back).
    pub(crate) fn take_out(&mut self) -> Option<C> {
        self.connection.take()
    }

    pub(crate) fn put_back(&mut self, connection: C) {
        self.connection = Some(connection);
    }

    /// Drops the connection, which is broken.
    pub(crate) fn lose(mut self) {
        drop(self.take_out());
    }
}

impl<C> Drop for Lease<C> {
    fn drop(&mut self) {
        let mut connections = locked(&self.snapshot.connections);
        connections.taken -= 1;
        connections.free.extend(self.connection.take());
        drop(connections);
        // All of them: when none is left, everyone who waits has to know.
        self.snapshot.given_back.notify_all();
    }
}

fn lost() -> Error {
    let error = Error::transient("the snapshot that all tasks read is gone: its connections have ended");
    error.reason(SNAPSHOT_LOST).help(
        "a restart of the server, or a limit on long transactions, ends them; \
         run the job again, which takes a new snapshot",
    )
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wait::never;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn a_connection_is_taken_by_one_and_given_back() {
        static KNOWN: Registry<u8> = Registry::new();
        let snapshot = KNOWN.keep(vec![1]);
        let name = snapshot.name().to_owned();
        let found = KNOWN.find(&name).unwrap();
        let mut lease = found.take(LONG, &never).unwrap();
        assert_eq!(lease.get().ok(), Some(&mut 1));
        let error = found.take(Duration::from_millis(5), &never).err().unwrap();
        assert_eq!((error.is_retryable(), error.reason_word()), (true, "connection_limit"));
        std::thread::scope(|scope| {
            let next = scope.spawn(|| found.take(LONG, &never).map(|mut lease| lease.take_out()));
            drop(lease);
            assert_eq!(next.join().unwrap().unwrap(), Some(1));
        });
        drop((found, snapshot));
        assert!(KNOWN.find(&name).is_none(), "nobody holds it");
    }

    #[test]
    fn a_snapshot_ends_with_its_last_connection() {
        static KNOWN: Registry<u8> = Registry::new();
        let snapshot = KNOWN.keep(vec![1, 2]);
        snapshot.take(LONG, &never).unwrap().lose();
        let last = snapshot.take(LONG, &never).unwrap();
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| snapshot.take(LONG, &never).err().unwrap());
            std::thread::sleep(Duration::from_millis(20));
            last.lose();
            assert_eq!(waits.join().unwrap().reason_word(), SNAPSHOT_LOST);
        });
    }
}
