//! Connections to a database file that see one state of it, and how one process recognises the state that another one reads.
//!
//! A reader keeps what it saw when its transaction began. Without a write-ahead log (WAL) no writer can commit as long as there is
//! a reader, so the connections that the driver holds keep the file as it is for all processes. With a WAL writers go on; then
//! the state is recognised by the header of the WAL's index, the file `-shm`: it changes with every commit and never comes back.
//!
//! The header is read through a file of its own, which is never closed: POSIX drops a process's locks on a file when it
//! closes any descriptor of that file, and SQLite's locks would be gone.

use std::collections::HashMap;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use kiln::{Error, Result};
use rusqlite::{Connection, OpenFlags};
use serde::{Deserialize, Serialize};

use super::errors;
use crate::retry::Retry;
use crate::wait::Check;

/// How long SQLite itself waits for a lock; more is up to the retries.
const BUSY_TIMEOUT: Duration = Duration::from_millis(500);
/// How often connections are opened until all of them see one state: each time, somebody has written meanwhile.
const ROUNDS: usize = 20;
/// Bytes of the header of a WAL's index, of which there are two copies.
const HEADER: usize = 48;
/// How often the header is read until both copies are equal: they differ while a writer changes them.
const HEADER_READS: usize = 100;
const HEADER_PAUSE: Duration = Duration::from_millis(1);

/// A state of a database file: equal states hold equal rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum State {
    /// Kept as it is by the locks of the driver's readers.
    Locked,
    /// Recognised by the header of the WAL's index.
    Wal(Vec<u8>),
}

/// Opens the file and begins a transaction that sees one state of it.
///
/// # Errors
/// Transient when a writer has locked it for all tries; config when there is no such file, or it is no database.
pub(super) fn open(path: &Path, retry: &Retry, check: Check<'_>) -> Result<Connection> {
    if !path.exists() {
        let error = Error::config("there is no such database file").reason("no_such_file");
        return Err(error.at("file", path.display()));
    }
    let opened = retry.run(&format!("opening {}", path.display()), check, || begin(path));
    opened.map_err(|e| e.at("file", path.display()))
}

fn begin(path: &Path) -> Result<Connection> {
    let failed = |e| errors::of("the database cannot be opened", e);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
    // A file of somebody else's is not trusted to call functions by its schema.
    connection.pragma_update(None, "trusted_schema", false).map_err(failed)?;
    connection.execute_batch("BEGIN").map_err(failed)?;
    // What the transaction sees is fixed by its first read.
    let objects = "SELECT count(*) FROM sqlite_schema";
    connection.query_row(objects, [], |row| row.get::<_, i64>(0)).map_err(failed)?;
    Ok(connection)
}

/// Connections that see one state, the state, and a connection that keeps it from being written over.
pub(super) struct Together {
    pub(super) connections: Vec<Connection>,
    pub(super) state: State,
    pub(super) guard: Connection,
}

/// Opens up to `count` connections that see one state, one at least.
///
/// # Errors
/// Those of [`open`].
pub(super) fn open_together(path: &Path, count: usize, retry: &Retry, check: Check<'_>) -> Result<Together> {
    let guard = open(path, retry, check)?;
    for round in 0..ROUNDS {
        let before = state(&guard)?;
        // In the last round, one: it sees one state whatever happens.
        let count = if round + 1 == ROUNDS { 1 } else { count.max(1) };
        let opened = (0..count).map(|_| open(path, retry, check)).collect::<Result<Vec<_>>>();
        let (connections, state) = (opened?, state(&guard)?);
        // Each of them began between both looks at the state.
        if state == before || count == 1 {
            return Ok(Together { connections, state, guard });
        }
        check()?;
    }
    Err(Error::bug("a round with one connection ends the loop"))
}

/// The newest state of the file that `connection` has open.
///
/// # Errors
/// Of the file system.
pub(super) fn state(connection: &Connection) -> Result<State> {
    let failed = |e| errors::of("the state of the database cannot be read", e);
    let mode: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0)).map_err(failed)?;
    if !mode.eq_ignore_ascii_case("wal") {
        return Ok(State::Locked);
    }
    let Some(path) = connection.path() else { return Ok(State::Locked) };
    let index = PathBuf::from(format!("{path}-shm"));
    header(&index).map(State::Wal).map_err(|e| {
        Error::io("the index of the write-ahead log cannot be read", e).at("file", index.display())
    })
}

/// The header of a WAL's index, once both copies are equal.
fn header(index: &Path) -> std::io::Result<Vec<u8>> {
    let mut copies = [0; 2 * HEADER];
    for _ in 0..HEADER_READS {
        read_unclosed(index, &mut copies)?;
        let (first, second) = copies.split_at(HEADER);
        if first == second {
            return Ok(first.to_vec());
        }
        std::thread::sleep(HEADER_PAUSE);
    }
    Err(std::io::Error::other("its header is being written all the time"))
}

/// Reads the beginning of a file, and keeps it open until the process ends.
fn read_unclosed(path: &Path, bytes: &mut [u8]) -> std::io::Result<()> {
    static FILES: LazyLock<Mutex<HashMap<(u64, u64), File>>> = LazyLock::new(Mutex::default);
    let found = fs::metadata(path)?;
    let mut files = FILES.lock().unwrap_or_else(PoisonError::into_inner);
    let file = match files.entry((found.dev(), found.ino())) {
        std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
        std::collections::hash_map::Entry::Vacant(entry) => entry.insert(File::open(path)?),
    };
    file.read_exact_at(bytes, 0)
}
