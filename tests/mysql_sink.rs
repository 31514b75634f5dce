//! Writing MySQL and MariaDB, on a private MariaDB server that the tests start. They need `apt-get install mariadb-server`, so
//! this suite runs only when it is named:
//!
//! ```text
//! cargo test -p kiln-tests --test mysql_sink
//! ```

#![allow(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

#[path = "mysql_sink/faults.rs"]
mod faults;
#[path = "support/job.rs"]
mod job;
#[path = "mysql_sink/modes.rs"]
mod modes;
#[path = "support/processes.rs"]
mod processes;
#[path = "support/pg_proxy.rs"]
mod proxy;
#[path = "mysql_sink/round_trip.rs"]
mod round_trip;
#[path = "mysql_sink/runs.rs"]
mod runs;
#[path = "support/mariadb.rs"]
mod server;

use job::Job;
use server::{Database, Server};

/// The lines that the target has before anything is written.
const OLD: &str = "CREATE TABLE t (id bigint PRIMARY KEY, part integer NOT NULL, text text);
    INSERT INTO t SELECT seq, seq % 4, 'old' FROM seq_0_to_1999";

/// A database with a table of 2,000 old lines, 500 in each of four parts.
fn target() -> Database {
    let db = Server::shared();
    db.sql(OLD);
    db
}

/// A job that writes 1,000 lines into it, by this mode's options.
fn write(db: &Database, options: &[&str]) -> Job {
    let job = Job::new(env!("CARGO_BIN_EXE_write_mysql")).on("local[2]");
    let job = job.option("--url", db.url()).option("--table", "t");
    options.iter().fold(job, |job, option| job.arg(*option))
}

/// How many lines of each text there are, such as `new 1000, old 1000`.
fn lines(db: &Database) -> String {
    db.sql(
        "SELECT GROUP_CONCAT(CONCAT(text, ' ', n) ORDER BY text SEPARATOR ', ') FROM
        (SELECT COALESCE(text, 'null') AS text, COUNT(*) AS n FROM t GROUP BY 1) AS found",
    )
}

/// Everything that the table has, as one hash.
fn content(db: &Database) -> String {
    db.sql("SET group_concat_max_len = 1000000; SELECT MD5(GROUP_CONCAT(id, '|', part, '|', COALESCE(text, 'null') ORDER BY id)) FROM t")
}

fn stagings(db: &Database) -> String {
    db.sql("SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME LIKE 'kiln\\_staging%'")
}

/// Whether no staging table is left, and how many publishes the ledger has.
fn publishes(db: &Database) -> String {
    assert_eq!(stagings(db), "0", "staging tables are left");
    db.sql("SELECT CONCAT(COUNT(published_at), ' of ', COUNT(*)) FROM kiln_publishes")
}
