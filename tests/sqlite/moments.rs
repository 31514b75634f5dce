//! All splits see one state of the file, or the job says that it cannot.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use kiln::Context;
use kiln_connectors::sqlite::ReadSqlite;

use crate::job::{EXECUTORS, Job, Running};
use crate::{Db, series};

const ROWS: u64 = 4000;

fn accounts(mode: &str) -> Db {
    Db::new(&format!(
        "PRAGMA journal_mode = {mode}; CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT, money INTEGER);
         INSERT INTO t SELECT g, 'x', 100 FROM {}",
        series(ROWS)
    ))
}

/// Starts a job in executors, and waits until it has planned.
fn planned(db: &Db) -> (Running, std::path::PathBuf) {
    let (planned, go) = (db.folder.path().join("planned"), db.folder.path().join("go"));
    let job = Job::new(env!("CARGO_BIN_EXE_read_sqlite")).on(EXECUTORS).option("--path", db.path());
    let running =
        job.option("--table", "t").option("--splits", "6").option("--gate", &planned).arg(&go).start();
    let end = Instant::now() + Duration::from_secs(60);
    while !planned.exists() {
        assert!(Instant::now() < end, "it does not plan");
        std::thread::sleep(Duration::from_millis(5));
    }
    (running, go)
}

#[test]
fn splits_see_one_state_while_others_write_to_the_log() {
    let db = accounts("WAL");
    let (is_done, writes) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let _stop = Stop(&is_done);
        scope.spawn(|| {
            let connection = db.open();
            connection.busy_timeout(Duration::from_secs(10)).unwrap();
            // Money moves from low rows to high ones, rows come and go.
            while !is_done.load(Ordering::SeqCst) {
                let n = writes.fetch_add(1, Ordering::SeqCst);
                let sql = format!(
                    "BEGIN IMMEDIATE; UPDATE t SET money = money + CASE WHEN id <= 2000 THEN 1 ELSE -1 END WHERE id BETWEEN 1 AND {ROWS};
                     INSERT INTO t VALUES (100000 + {n}, 'new', {n}), (-100000 - {n}, 'new', -{n}); COMMIT"
                );
                connection.execute_batch(&sql).unwrap();
            }
        });
        for _ in 0..10 {
            let cx = Context::local(2);
            let read = cx.sqlite(db.path()).table("t").columns(["id", "money"]).splits(8).max_connections(3);
            let read = read.read::<(i64, i64)>();
            let begun = writes.load(Ordering::SeqCst);
            while writes.load(Ordering::SeqCst) < begun + 3 {
                std::thread::sleep(Duration::from_millis(1));
            }
            let rows = read.collect().unwrap();
            assert_eq!(
                rows.iter().map(|(_, money)| money).sum::<i64>(),
                100 * ROWS as i64,
                "the sum of one state"
            );
            let old = rows.iter().filter(|(id, _)| (1..=ROWS as i64).contains(id)).count() as u64;
            assert_eq!(old, ROWS, "no row is lost or read twice");
        }
    });
}

/// Ends the writer with its test, however that ends.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn executors_that_see_another_state_end_the_job() {
    let db = accounts("WAL");
    let (running, go) = planned(&db);
    db.sql("UPDATE t SET money = money + 1 WHERE id = 3");
    std::fs::write(go, "").unwrap();
    let ended = running.wait();
    ended.fails(75, "transient", &["written to after the job had begun", "run the job again"]);
    assert_eq!(ended.json()["reason"], "source_changed");
}

#[test]
fn executors_read_a_file_with_a_log_that_nobody_writes() {
    let db = accounts("WAL");
    // Somebody has it open, and there is a log that is not empty.
    let other = db.open();
    other.execute_batch("UPDATE t SET money = 5 WHERE id = 1").unwrap();
    let (running, go) = planned(&db);
    let read: i64 = other.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap();
    assert_eq!(read, ROWS as i64, "readers do not disturb");
    std::fs::write(go, "").unwrap();
    assert!(running.wait().ok().stdout.contains(&format!("rows {ROWS} ")));
}

#[test]
fn without_a_log_writers_wait_until_executors_have_read() {
    let db = accounts("DELETE");
    let (running, go) = planned(&db);
    let writer = db.open();
    writer.busy_timeout(Duration::from_millis(200)).unwrap();
    let refused = writer.execute_batch("UPDATE t SET id = id + 100000 WHERE id = 3").unwrap_err();
    assert!(refused.to_string().contains("locked"), "{refused}");
    std::fs::write(go, "").unwrap();
    assert!(running.wait().ok().stdout.contains(&format!("rows {ROWS} ")));
    writer.execute_batch("UPDATE t SET id = id + 100000 WHERE id = 3").unwrap();
}

#[test]
fn a_read_that_ends_early_leaves_the_connection_to_others() {
    let db = accounts("WAL");
    let cx = Context::local(1);
    let read = cx.sqlite(db.path()).table("t").columns(["id"]).splits(4).max_connections(1).read::<i64>();
    for _ in 0..3 {
        assert_eq!(read.clone().take(5).unwrap().len(), 5);
        assert_eq!(read.clone().count().unwrap(), ROWS);
    }
}
