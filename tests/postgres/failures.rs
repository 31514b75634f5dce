//! Connections that break, servers that restart, limits that are reached: the job repeats what can be repeated, or says
//! what happened.

use crate::job::{Job, Running};
use crate::server::{Database, Server};

const ROWS: u64 = 3000;
/// Connections that read rows now.
const READERS: &str =
    "pg_stat_activity WHERE query LIKE 'COPY (SELECT%' AND state = 'active' AND datname = current_database()";
/// The connection that holds the snapshot open.
const HOLDER: &str = "pg_stat_activity WHERE state = 'idle in transaction' AND datname = current_database() AND application_name = 'kiln'";

/// A job that reads a table slowly, in four splits.
fn slow(db: &Database, cluster: &str) -> Job {
    db.sql(&format!(
        "CREATE TABLE IF NOT EXISTS t AS SELECT g AS id, 'x'::text AS text FROM generate_series(1::bigint, {ROWS}) g"
    ));
    let job = Job::new(env!("CARGO_BIN_EXE_read_postgres")).on(cluster);
    let job = job.option("--url", db.url()).option("--table", "t").option("--splits", "4");
    job.option("--filter", "pg_sleep(0.001) IS NOT NULL")
}

fn reads(db: &Database, cluster: &str) -> Running {
    let running = slow(db, cluster).start();
    db.wait_for(&format!("SELECT count(*) FROM {READERS}"));
    running
}

fn expected() -> String {
    format!("rows {ROWS} {}", ROWS * (ROWS + 1) / 2 + ROWS)
}

#[test]
fn a_reader_whose_backend_is_killed_reads_its_split_again() {
    for cluster in ["local[2]", "local-cluster[2,1]"] {
        let db = Server::shared();
        let running = reads(&db, cluster);
        let killed = db.sql(&format!("SELECT count(pg_terminate_backend(pid)) FROM {READERS}"));
        assert_ne!(killed, "0", "a reader was killed");
        let ended = running.wait();
        ended.exits(0);
        assert!(ended.stdout.contains(&expected()), "{cluster}: {}", ended.stdout);
        assert_ne!(ended.json()["retries"].as_u64().unwrap(), 0, "the split was read again");
    }
}

#[test]
fn a_lost_snapshot_ends_the_job_with_its_reason() {
    let db = Server::shared();
    let running = reads(&db, "local[1]");
    assert_eq!(db.sql(&format!("SELECT count(pg_terminate_backend(pid)) FROM {HOLDER}")), "1");
    let ended = running.wait();
    ended.fails(75, "transient", &["the snapshot that all tasks read is gone", "run the job again"]);
    assert_eq!(ended.json()["reason"], "snapshot_lost");
}

#[test]
fn a_restart_of_the_server_ends_the_job_and_the_next_run_is_right() {
    let db = Server::start().database();
    let running = reads(&db, "local[2]");
    db.server().restart();
    let ended = running.wait();
    ended.fails(75, "transient", &["run the job again"]);
    assert_eq!(ended.json()["reason"], "snapshot_lost");
    let again = slow(&db, "local[2]").run().ok();
    assert!(again.stdout.contains(&expected()), "{}", again.stdout);
}

#[test]
fn a_statement_that_takes_too_long_is_transient_and_names_the_setting() {
    let db = Server::shared();
    let ended = slow(&db, "local[1]").option("--statement-timeout", "100").run();
    ended.fails(75, "transient", &["statement timeout", "`statement_timeout`"]);
    assert_eq!(ended.json()["reason"], "statement_timeout");
}

#[test]
fn a_server_that_accepts_no_more_connections_is_asked_again() {
    let server = Server::start();
    server.configure("max_connections = 8");
    server.configure("superuser_reserved_connections = 2");
    server.restart();
    let db = server.database();
    db.sql("CREATE ROLE guest LOGIN PASSWORD 'guest'; GRANT pg_read_all_data TO guest");
    db.sql("CREATE TABLE t AS SELECT g AS id, 'x'::text AS text FROM generate_series(1::bigint, 4000) g");
    let job = || {
        let job = Job::new(env!("CARGO_BIN_EXE_read_postgres")).on("local[8]");
        let job =
            job.option("--url", db.tcp_url("guest:guest")).option("--table", "t").option("--splits", "8");
        job.option("--filter", "pg_sleep(0.001) IS NOT NULL")
    };
    let ended = job().run();
    ended.exits(0);
    assert!(ended.stdout.contains("rows 4000 "), "{}", ended.stdout);
    assert!(
        ended.stderr.contains("remaining connection slots"),
        "the server refused some:\n{}",
        ended.stderr
    );
    let ended = job().option("--max-connections", "4").run();
    ended.exits(0);
    assert!(!ended.stderr.contains("remaining connection slots"), "{}", ended.stderr);
}

#[test]
fn a_server_that_is_not_there_is_unavailable() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let job = Job::new(env!("CARGO_BIN_EXE_read_postgres")).on("local[1]").option("--table", "t");
    let ended = job.option("--url", format!("postgres://me@127.0.0.1:{port}/db")).run();
    ended.fails(69, "unavailable", &["cannot connect to the PostgreSQL server", "try 5"]);
}

#[test]
fn what_the_server_finds_wrong_in_rows_is_data() {
    let db = Server::shared();
    db.sql("CREATE TABLE t AS SELECT g AS id, 'x'::text AS text FROM generate_series(0::bigint, 99) g");
    let job = Job::new(env!("CARGO_BIN_EXE_read_postgres")).on("local[1]").option("--url", db.url());
    let ended = job.option("--table", "t").option("--filter", "100 / id > 0").run();
    ended.fails(65, "data", &["division by zero", "22012"]);
}

#[test]
fn a_table_cannot_be_emptied_under_its_readers() {
    let db = Server::shared();
    let running = reads(&db, "local[1]");
    let truncated = db.try_sql("SET lock_timeout = '300ms'; TRUNCATE t");
    assert!(truncated.unwrap_err().contains("lock timeout"));
    assert!(running.wait().ok().stdout.contains(&expected()));
}
