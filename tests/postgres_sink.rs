//! Writing PostgreSQL, on a private server that the tests start. They need `apt-get install postgresql`, so this suite runs
//! only when it is named:
//!
//! ```text
//! cargo test -p kiln-tests --test postgres_sink
//! ```

#![allow(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

#[path = "postgres_sink/export.rs"]
mod export;
#[path = "postgres_sink/faults.rs"]
mod faults;
#[path = "support/job.rs"]
mod job;
#[path = "postgres_sink/modes.rs"]
mod modes;
#[path = "support/processes.rs"]
mod processes;
#[path = "support/pg_proxy.rs"]
mod proxy;
#[path = "postgres_sink/round_trip.rs"]
mod round_trip;
#[path = "postgres_sink/runs.rs"]
mod runs;
#[path = "support/postgres.rs"]
mod server;

use job::Job;
use server::{Database, Server};

/// The lines that the target has before anything is written.
const OLD: &str = "CREATE TABLE t (id bigint PRIMARY KEY, part integer NOT NULL, text text);
    INSERT INTO t SELECT g, g % 4, 'old' FROM generate_series(0::bigint, 1999) g";

/// A database with a table of 2,000 old lines, 500 in each of four parts.
fn target() -> Database {
    let db = Server::shared();
    db.sql(OLD);
    db
}

/// A job that writes 1,000 lines into it, by this mode's options.
fn write(db: &Database, options: &[&str]) -> Job {
    let job = Job::new(env!("CARGO_BIN_EXE_write_postgres")).on("local[2]");
    let job = job.option("--url", db.url()).option("--table", "t");
    options.iter().fold(job, |job, option| job.arg(*option))
}

/// How many lines of each text there are, such as `new 1000, old 1000`.
fn lines(db: &Database) -> String {
    db.sql(
        "SELECT coalesce(string_agg(text || ' ' || n, ', ' ORDER BY text), '') FROM
        (SELECT coalesce(text, 'null') AS text, count(*) AS n FROM t GROUP BY 1) AS lines",
    )
}

/// Everything that the table has, as one hash.
fn content(db: &Database) -> String {
    db.sql("SELECT md5(coalesce(string_agg(t::text, ',' ORDER BY t::text), '')) FROM t")
}

/// Whether no staging table is left, and how many publishes the ledger has.
fn publishes(db: &Database) -> String {
    let stagings = db.sql("SELECT count(*) FROM pg_class WHERE relname LIKE 'kiln_staging_%'");
    assert_eq!(stagings, "0", "staging tables are left");
    db.sql("SELECT count(published_at) || ' of ' || count(*) FROM kiln_publishes")
}
