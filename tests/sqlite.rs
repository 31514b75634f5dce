//! Reading SQLite: files that the tests make; nothing has to be installed.

#![allow(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

#[path = "support/job.rs"]
mod job;
#[path = "sqlite/load.rs"]
mod load;
#[path = "sqlite/messages.rs"]
mod messages;
#[path = "sqlite/moments.rs"]
mod moments;
#[path = "support/processes.rs"]
mod processes;
#[path = "sqlite/splits.rs"]
mod splits;
#[path = "sqlite/types.rs"]
mod types;

use std::path::PathBuf;

use rusqlite::Connection;
use tempfile::TempDir;

/// A database file of a test.
struct Db {
    folder: TempDir,
}

impl Db {
    fn new(sql: &str) -> Db {
        let db = Db { folder: TempDir::new().unwrap() };
        db.sql(sql);
        db
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("shop.db")
    }

    fn url(&self) -> String {
        self.path().display().to_string()
    }

    fn open(&self) -> Connection {
        Connection::open(self.path()).unwrap()
    }

    fn sql(&self, sql: &str) {
        self.open().execute_batch(sql).unwrap();
    }

    /// The first value of a query, as text.
    fn one(&self, sql: &str) -> String {
        let sql = format!("SELECT CAST(({sql}) AS TEXT)");
        self.open().query_row(&sql, [], |row| row.get(0)).unwrap()
    }
}

/// Numbers from 1 to `count` as a table for FROM.
fn series(count: u64) -> String {
    format!(
        "(WITH RECURSIVE s(g) AS (SELECT 1 UNION ALL SELECT g + 1 FROM s WHERE g < {count}) SELECT g FROM s)"
    )
}
