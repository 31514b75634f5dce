//! All splits see one moment while others write, or nobody says that they do.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use kiln::{Class, Context};
use kiln_connectors::mysql::{Consistency, ReadMysql};

use crate::job::{EXECUTORS, Job};
use crate::server::{Database, Server};

const ROWS: i64 = 20_000;

fn accounts() -> Database {
    let db = Server::shared();
    db.sql(&format!(
        "CREATE TABLE t (id bigint PRIMARY KEY, money bigint, text varchar(200));
         INSERT INTO t SELECT seq, 100, REPEAT('x', 100) FROM seq_1_to_{ROWS}; ANALYZE TABLE t"
    ));
    db
}

/// Money moves from low rows to high ones, rows come in pairs that sum up to nothing, until the test ends.
fn while_others_write(db: &Database, test: impl FnOnce(&AtomicU64)) {
    let (is_done, writes) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let _stop = Stop(&is_done);
        scope.spawn(|| {
            while !is_done.load(Ordering::SeqCst) {
                let n = writes.fetch_add(1, Ordering::SeqCst);
                db.sql(&format!(
                    "BEGIN; UPDATE t SET money = money + IF(id <= {ROWS} / 2, 1, -1) WHERE id BETWEEN 1 AND {ROWS} AND id % 50 = {n} % 50;
                     INSERT INTO t VALUES (100000 + {n}, {n}, 'new'), (-100000 - {n}, -{n}, 'new'); COMMIT"
                ));
            }
        });
        test(&writes);
    });
}

/// Ends the writer with its test, however that ends.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Rows, the sum of their money, and how many transactions ran meanwhile.
fn read(db: &Database, consistency: Consistency, writes: &AtomicU64) -> (Vec<(i64, i64)>, u64) {
    let cx = Context::local(2);
    let read = cx.mysql(&db.url()).table("t").columns(["id", "money"]).splits(16).max_connections(3);
    // Readers are slowed down, so that much is written between the first and the last.
    let read = read.consistency(consistency).filter("id % 40 <> 0 OR SLEEP(0.002) = 0");
    let begun = writes.load(Ordering::SeqCst);
    let rows = read.read::<(i64, i64)>();
    assert!(rows.num_partitions() > 10);
    let rows = rows.collect().unwrap();
    (rows, writes.load(Ordering::SeqCst) - begun)
}

#[test]
fn one_connection_and_a_short_lock_see_one_moment_while_others_write() {
    let db = accounts();
    while_others_write(&db, |writes| {
        for consistency in [Consistency::OneConnection, Consistency::ShortLock] {
            for _ in 0..4 {
                let (rows, written) = read(&db, consistency, writes);
                assert!(written > 3, "only {written} transactions ran during the read");
                let distinct: BTreeSet<i64> = rows.iter().map(|(id, _)| *id).collect();
                assert_eq!(distinct.len(), rows.len(), "no row is read twice");
                assert_eq!((1..=ROWS).filter(|id| !distinct.contains(id)).count(), 0, "no row is lost");
                let money: i64 = rows.iter().map(|(_, money)| money).sum();
                assert_eq!(money, ROWS * 100, "the sum of one moment, {consistency:?}");
            }
        }
    });
}

#[test]
fn each_split_has_a_moment_of_its_own_where_that_is_asked_for() {
    let db = accounts();
    while_others_write(&db, |writes| {
        let sums = (0..4).map(|_| {
            let (rows, _) = read(&db, Consistency::PerSplit, writes);
            let old = rows.iter().filter(|(id, _)| (1..=ROWS).contains(id)).count();
            assert_eq!(old as i64, ROWS, "rows whose keys do not change are read once");
            rows.iter().map(|(_, money)| money).sum::<i64>()
        });
        let sums: Vec<i64> = sums.collect();
        assert!(sums.iter().any(|sum| *sum != ROWS * 100), "the test sees mixed moments: {sums:?}");
    });
}

#[test]
fn executors_do_not_mix_moments_unless_asked() {
    let db = accounts();
    let job = Job::new(env!("CARGO_BIN_EXE_read_mysql")).on(EXECUTORS).option("--url", db.url());
    let ended = job.option("--table", "t").option("--splits", "4").run();
    ended.fails(78, "config", &["rows of one moment", "per-split"]);
    assert_eq!(ended.json()["reason"], "other_process");
}

#[test]
fn a_short_lock_needs_a_privilege_and_says_so() {
    let db = accounts();
    let user = format!("reader{}", db.name());
    db.sql(&format!("CREATE USER {user} IDENTIFIED BY 'r'; GRANT SELECT ON {}.* TO {user}", db.name()));
    let cx = Context::local(2);
    let url = db.tcp_url(&format!("{user}:r"));
    let read = cx.mysql(&url).table("t").splits(4);
    let error = read.consistency(Consistency::ShortLock).read::<(i64, i64, String)>().count().unwrap_err();
    assert_eq!(error.class(), Class::Auth, "{error}");
    assert!(error.to_string().contains("RELOAD"), "{error}");
    let read = cx.mysql(&url).table("t").splits(4).read::<(i64, i64, String)>();
    assert_eq!(read.count().unwrap(), ROWS as u64, "one connection needs none");
}

#[test]
fn a_table_cannot_be_emptied_or_changed_under_its_readers() {
    let db = accounts();
    let cx = Context::local(2);
    for consistency in [Consistency::OneConnection, Consistency::ShortLock] {
        let read = cx.mysql(&db.url()).table("t").splits(4).consistency(consistency);
        let rows = read.read::<(i64, i64, String)>();
        for sql in ["TRUNCATE t", "ALTER TABLE t DROP COLUMN money"] {
            let refused = db.try_sql(&format!("SET lock_wait_timeout = 1; {sql}"));
            assert!(refused.unwrap_err().contains("Lock wait timeout"), "{sql}");
        }
        assert_eq!(rows.count().unwrap(), ROWS as u64);
    }
    db.sql("TRUNCATE t");
}

#[test]
fn a_read_that_ends_early_leaves_its_connection_and_moment_to_others() {
    let db = accounts();
    let cx = Context::local(1);
    let slow = "id < 10 OR id % 100 <> 0 OR SLEEP(0.02) = 0";
    let read = cx.mysql(&db.url()).table("t").columns(["id"]).filter(slow).splits(1).read::<i64>();
    let begun = std::time::Instant::now();
    assert_eq!(read.clone().take(5).unwrap().len(), 5);
    assert!(begun.elapsed().as_secs_f32() < 3.5, "the statement is stopped: it takes 4 seconds");
    db.sql("DELETE FROM t WHERE id < 1000");
    assert_eq!(read.count().unwrap(), ROWS as u64, "the moment of the plan");
}
