//! Connections that break, servers that restart, limits that are reached: the job repeats what can be repeated, or says
//! what happened.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::job::{Job, Running};
use crate::server::{Database, Server};

const ROWS: u64 = 3000;
/// Bytes of a row, so many that the server sends the first ones long before the last ones.
const WIDTH: u64 = 200;

/// Connections that read rows now.
fn readers(db: &Database) -> String {
    format!(
        "information_schema.PROCESSLIST WHERE DB = '{}' AND INFO LIKE 'SELECT%SLEEP%' AND USER = 'kiln'",
        db.name()
    )
}

/// A job that reads a table slowly, in four splits.
fn slow(db: &Database, cluster: &str, consistency: &str) -> Job {
    filtered(db, cluster, consistency).option("--filter", "SLEEP(0.001) = 0")
}

fn filtered(db: &Database, cluster: &str, consistency: &str) -> Job {
    db.sql(&format!(
        "CREATE TABLE IF NOT EXISTS t (id bigint PRIMARY KEY, text char({WIDTH}));
         INSERT IGNORE INTO t SELECT seq, REPEAT('x', {WIDTH}) FROM seq_1_to_{ROWS}; ANALYZE TABLE t"
    ));
    let job = Job::new(env!("CARGO_BIN_EXE_read_mysql")).on(cluster).option("--consistency", consistency);
    job.option("--url", db.url()).option("--table", "t").option("--splits", "4")
}

fn reads(db: &Database, cluster: &str, consistency: &str) -> Running {
    let running = slow(db, cluster, consistency).start();
    db.wait_for(&format!("SELECT COUNT(*) FROM {}", readers(db)));
    running
}

/// Kills connections that read: so many at most.
fn kill(db: &Database, most: usize) -> usize {
    let found = db.sql(&format!("SELECT ID FROM {} LIMIT {most}", readers(db)));
    let ids: Vec<&str> = found.lines().collect();
    for id in &ids {
        let _ = db.try_sql(&format!("KILL CONNECTION {id}"));
    }
    ids.len()
}

fn expected() -> String {
    format!("rows {ROWS} {}", ROWS * (ROWS + 1) / 2 + ROWS * WIDTH)
}

#[test]
fn a_reader_whose_connection_is_killed_reads_its_split_again() {
    for (cluster, consistency) in
        [("local[2]", "per-split"), ("local-cluster[2,1]", "per-split"), ("local[2]", "short-lock")]
    {
        let db = Server::shared();
        let running = reads(&db, cluster, consistency);
        assert_eq!(kill(&db, 1), 1, "a reader was killed");
        let ended = running.wait();
        ended.exits(0);
        assert!(ended.stdout.contains(&expected()), "{cluster}: {}", ended.stdout);
        assert_ne!(ended.json()["retries"].as_u64().unwrap(), 0, "the split was read again");
    }
}

#[test]
fn a_lost_snapshot_ends_the_job_with_its_reason() {
    let db = Server::shared();
    let running = reads(&db, "local[2]", "one-connection");
    assert_eq!(kill(&db, 9), 1);
    let ended = running.wait();
    ended.fails(75, "transient", &["the snapshot that all tasks read is gone", "run the job again"]);
    assert_eq!(ended.json()["reason"], "snapshot_lost");
}

#[test]
fn a_restart_of_the_server_gives_right_rows_or_ends_the_job() {
    let db = Server::start().database();
    let running = reads(&db, "local[2]", "one-connection");
    db.server().restart();
    let ended = running.wait();
    ended.fails(75, "transient", &["run the job again"]);
    assert_eq!(ended.json()["reason"], "snapshot_lost");
    let running = reads(&db, "local[2]", "per-split");
    db.server().restart();
    let ended = running.wait();
    ended.exits(0);
    assert!(ended.stdout.contains(&expected()), "{}", ended.stdout);
    let is_retried = ended.json()["retries"].as_u64() != Some(0) || ended.stderr.contains("failed (try 1");
    assert!(is_retried, "a split was read again, or begun again: {}", ended.stderr);
}

#[test]
fn a_statement_that_takes_too_long_is_transient_and_names_the_setting() {
    let db = Server::shared();
    let ended = slow(&db, "local[1]", "per-split").option("--statement-timeout", "100").run();
    ended.fails(75, "transient", &["max_statement_time exceeded", "`statement_timeout`"]);
    assert_eq!(ended.json()["reason"], "statement_timeout");
}

#[test]
fn a_server_that_accepts_no_more_connections_is_asked_again() {
    let db = Server::start_with("max_connections=10").database();
    db.sql(&format!(
        "CREATE USER guest IDENTIFIED BY 'guest' WITH MAX_USER_CONNECTIONS 3; GRANT SELECT, RELOAD ON *.* TO guest;
         CREATE TABLE t (id bigint PRIMARY KEY, text char({WIDTH}));
         INSERT INTO t SELECT seq, REPEAT('x', {WIDTH}) FROM seq_1_to_{ROWS}; ANALYZE TABLE t"
    ));
    let job = |consistency| {
        let job =
            Job::new(env!("CARGO_BIN_EXE_read_mysql")).on("local[6]").option("--consistency", consistency);
        let job =
            job.option("--url", db.tcp_url("guest:guest")).option("--table", "t").option("--splits", "8");
        job.option("--filter", "SLEEP(0.001) = 0")
    };
    let ended = job("per-split").run();
    ended.exits(0);
    assert!(ended.stdout.contains(&expected()), "{}", ended.stdout);
    assert!(ended.stderr.contains("max_user_connections"), "the server refused some:\n{}", ended.stderr);
    let ended = job("per-split").option("--max-connections", "2").run();
    ended.exits(0);
    assert!(!ended.stderr.contains("max_user_connections"), "{}", ended.stderr);
    let ended = job("short-lock").run();
    ended.exits(0);
    assert!(ended.stderr.contains("connections are used of"), "it takes what it gets:\n{}", ended.stderr);
    assert!(ended.stdout.contains(&expected()), "{}", ended.stdout);
}

#[test]
fn a_server_that_is_not_there_is_unavailable() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let job = Job::new(env!("CARGO_BIN_EXE_read_mysql")).on("local[1]").option("--table", "t");
    let ended = job.option("--url", format!("mysql://me@127.0.0.1:{port}/db")).run();
    ended.fails(69, "unavailable", &["cannot connect to the MySQL server", "try 5"]);
}

#[test]
fn a_cancel_does_not_wait_for_the_server() {
    let db = Server::shared();
    let job = filtered(&db, "local[1]", "per-split").option("--filter", "SLEEP(20) = 0");
    let running = job.start();
    db.wait_for(&format!("SELECT COUNT(*) FROM {}", readers(&db)));
    let begun = Instant::now();
    running.signal(Signal::TERM);
    let ended = running.wait();
    assert_ne!(ended.code(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}
