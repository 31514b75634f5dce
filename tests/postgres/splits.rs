//! Splits lose no row and read none twice: by pages, by keys, of partitioned tables, and while others write.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use kiln::Context;
use kiln_connectors::postgres::ReadPostgres;

use crate::job::{EVERYWHERE, Job};
use crate::server::{Database, Server};

/// The ids of a table, read in so many splits, and the number of splits.
fn ids(db: &Database, table: &str, split_by: Option<&str>, splits: usize) -> (Vec<i64>, usize) {
    let cx = Context::local(2);
    let mut read = cx.postgres(&db.url()).table(table).columns(["id"]).splits(splits);
    if let Some(key) = split_by {
        read = read.split_by(key);
    }
    let read = read.read::<i64>();
    let partitions = read.num_partitions();
    let mut ids = read.collect().unwrap();
    ids.sort_unstable();
    (ids, partitions)
}

#[test]
fn a_table_is_read_once_whatever_its_splits() {
    let db = Server::shared();
    db.sql("CREATE TABLE t AS SELECT g AS id, repeat('x', (g % 300)::int) AS text FROM generate_series(0::bigint, 19999) g");
    // Holes in pages, and pages without rows.
    db.sql("DELETE FROM t WHERE id % 7 = 0 OR id BETWEEN 5000 AND 9000");
    let expected: Vec<i64> = (0..20_000).filter(|id| id % 7 != 0 && !(5000..=9000).contains(id)).collect();
    for splits in [1, 2, 5, 64] {
        let (ids, partitions) = ids(&db, "t", None, splits);
        assert_eq!(ids, expected, "{splits} splits");
        assert_eq!(partitions, splits);
    }
    db.sql("CREATE TABLE nothing (id bigint)");
    assert_eq!(ids(&db, "nothing", None, 4), (vec![], 1));
}

#[test]
fn a_key_with_nulls_and_duplicates_loses_and_doubles_nothing() {
    let db = Server::shared();
    let seed = f64::from(std::process::id() % 1000) / 1000.0;
    println!("setseed({seed})");
    let keys = [
        ("bigint", "(random() * 50)::bigint - 25"),
        ("bigint", "(random() * 1e18)::bigint"),
        ("text", "chr(39 + (random() * 60)::int) || chr(92) || (random() * 9)::int"),
        ("char(5)", "(random() * 999)::int::text"),
        ("timestamptz", "now() - random() * interval '400 days'"),
        ("numeric", "round((random() * 1e6)::numeric, 3)"),
        (
            "float8",
            "CASE WHEN random() < 0.1 THEN 'NaN' WHEN random() < 0.1 THEN '-Infinity' ELSE random() END::float8",
        ),
        ("uuid", "gen_random_uuid()"),
        (
            "date",
            "CASE WHEN random() < 0.2 THEN 'infinity' ELSE DATE '2026-01-01' + (random() * 9)::int END::date",
        ),
    ];
    for (n, (key, value)) in keys.into_iter().enumerate() {
        let rows = [0, 1, 3, 200, 3000][n % 5];
        db.sql(&format!(
            "SELECT setseed({seed}); CREATE TABLE k{n} AS SELECT g AS id,
                 CASE WHEN random() < 0.2 THEN NULL ELSE {value} END::{key} AS \"Key\"
             FROM generate_series(1::bigint, {rows}) g;
             CREATE VIEW v{n} AS SELECT * FROM k{n}"
        ));
        let expected: Vec<i64> = (1..=rows).collect();
        for splits in [1, 2, 7, 40] {
            for relation in [format!("k{n}"), format!("v{n}")] {
                let (ids, partitions) = ids(&db, &relation, Some("Key"), splits);
                assert_eq!(ids, expected, "{relation} by {key}, {splits} splits, setseed({seed})");
                assert!(
                    partitions <= splits && (rows < 200 || splits == 1 || partitions > 1),
                    "{partitions} of {splits}"
                );
            }
        }
    }
}

#[test]
fn a_large_key_is_sampled_by_pages() {
    let db = Server::shared();
    db.sql("CREATE TABLE t AS SELECT g AS id, repeat('x', 200) AS text FROM generate_series(1::bigint, 60000) g; ANALYZE t");
    let (ids, partitions) = ids(&db, "t", Some("id"), 6);
    assert_eq!((ids.len(), partitions), (60_000, 6));
    assert_eq!(BTreeSet::from_iter(ids).len(), 60_000);
}

#[test]
fn partitions_and_children_are_read_once() {
    let db = Server::shared();
    db.sql(
        "CREATE TABLE p (id bigint, day date, text text) PARTITION BY RANGE (day);
         CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
         CREATE TABLE p2 PARTITION OF p FOR VALUES FROM ('2026-02-01') TO ('2026-03-01') PARTITION BY HASH (id);
         CREATE TABLE p2a PARTITION OF p2 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
         CREATE TABLE \"p2 B\" PARTITION OF p2 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
         CREATE TABLE rest PARTITION OF p DEFAULT;
         INSERT INTO p SELECT g, DATE '2026-01-01' + (g % 100)::int, repeat('x', 100) FROM generate_series(1, 20000) g;
         CREATE TABLE parent (id bigint);
         CREATE TABLE child (more text) INHERITS (parent);
         CREATE TABLE other () INHERITS (parent);
         CREATE TABLE twice () INHERITS (child, other);
         INSERT INTO parent SELECT generate_series(1, 1000);
         INSERT INTO child SELECT generate_series(1001, 5000), 'x';
         INSERT INTO twice SELECT generate_series(5001, 6000), 'x'",
    );
    for splits in [1, 3, 30] {
        assert_eq!(ids(&db, "p", None, splits).0, (1..=20_000).collect::<Vec<_>>(), "{splits} splits");
        assert_eq!(ids(&db, "p", Some("day"), splits).0, (1..=20_000).collect::<Vec<_>>(), "{splits} splits");
        assert_eq!(ids(&db, "parent", None, splits).0, (1..=6000).collect::<Vec<_>>(), "{splits} splits");
    }
    let filter = "day >= DATE '2026-01-10' AND day < DATE '2026-02-05'";
    let cx = Context::local(2);
    let some =
        cx.postgres(&db.url()).table("p").filter(filter).read::<(i64, kiln::chrono::NaiveDate, String)>();
    let expected: u64 = db.sql(&format!("SELECT count(*) FROM p WHERE {filter}")).parse().unwrap();
    assert_eq!(some.num_partitions(), 3, "the default partition cannot hold such days and is not read");
    assert_eq!(some.count().unwrap(), expected);
}

#[test]
fn rows_that_a_policy_hides_stay_hidden_in_partitions() {
    let db = Server::shared();
    let role = format!("limited{}", std::process::id());
    db.sql(&format!(
        "CREATE TABLE p (id bigint PRIMARY KEY) PARTITION BY RANGE (id);
         CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (5000);
         CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (5000) TO (10000);
         INSERT INTO p SELECT generate_series(0, 9999);
         CREATE ROLE {role} LOGIN PASSWORD 'limited';
         GRANT SELECT ON p, p1, p2 TO {role};
         ALTER TABLE p ENABLE ROW LEVEL SECURITY;
         CREATE POLICY even ON p USING (id % 2 = 0)"
    ));
    let cx = Context::local(2);
    let url = db.tcp_url(&format!("{role}:limited"));
    let read = cx.postgres(&url).table("p").splits(4).read::<i64>();
    assert!(read.num_partitions() > 1, "it is cut by its primary key");
    let mut ids = read.collect().unwrap();
    ids.sort_unstable();
    assert_eq!(ids, (0..10_000).step_by(2).collect::<Vec<i64>>());
    db.sql(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

#[test]
fn all_splits_see_one_moment_while_others_write() {
    let db = Server::shared();
    db.sql("CREATE TABLE t AS SELECT g AS id, 100::bigint AS money, repeat('x', 500) AS text FROM generate_series(1::bigint, 20000) g");
    let (is_done, writes) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let _stop = Stop(&is_done);
        scope.spawn(|| {
            // Money moves, rows move to other pages, rows come in pairs that sum up to nothing, rows go.
            while !is_done.load(Ordering::SeqCst) {
                let n = writes.fetch_add(1, Ordering::SeqCst) as i64;
                db.sql(&format!(
                    "BEGIN; UPDATE t SET money = money + CASE WHEN id <= 10000 THEN 1 ELSE -1 END
                         WHERE id % 50 = {n} % 50 AND id BETWEEN 1 AND 20000;
                     INSERT INTO t VALUES (100000 + {n}, {n}, 'new'), (-100000 - {n}, -{n}, 'new'); COMMIT"
                ));
            }
        });
        for _ in 0..5 {
            let begun = writes.load(Ordering::SeqCst);
            let cx = Context::local(2);
            let read =
                cx.postgres(&db.url()).table("t").columns(["id", "money"]).splits(16).max_connections(2);
            // Readers are slowed down, so that much is written between the first and the last.
            let rows = read.filter("id % 40 <> 0 OR pg_sleep(0.002) IS NOT NULL").read::<(i64, i64)>();
            assert_eq!(rows.num_partitions(), 16);
            let rows = rows.collect().unwrap();
            let written = writes.load(Ordering::SeqCst) - begun;
            assert!(written > 3, "only {written} transactions ran during the read");
            let distinct: BTreeSet<i64> = rows.iter().map(|(id, _)| *id).collect();
            assert_eq!(distinct.len(), rows.len(), "no row is read twice");
            assert_eq!((1..=20_000).filter(|id| !distinct.contains(id)).count(), 0, "no row is lost");
            assert_eq!(rows.iter().map(|(_, money)| money).sum::<i64>(), 2_000_000, "the sum of one moment");
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
fn executors_read_what_one_process_reads() {
    let db = Server::shared();
    db.sql("CREATE TABLE t AS SELECT g AS id, repeat('é', (g % 50)::int) AS text FROM generate_series(1::bigint, 30000) g");
    let expected = db.sql("SELECT 'rows ' || count(*) || ' ' || sum(id + octet_length(text)) FROM t");
    for cluster in EVERYWHERE {
        for split in [vec![], vec!["--split-by", "id"]] {
            let mut job = Job::new(env!("CARGO_BIN_EXE_read_postgres")).on(cluster);
            job = job.option("--url", db.url()).option("--table", "t").option("--splits", "9");
            let ended = split.iter().fold(job, |job, arg| job.arg(*arg)).run().ok();
            assert!(ended.stdout.contains(&expected), "{cluster}: {} is not {expected}", ended.stdout);
            let inputs = &ended.json()["inputs"];
            assert!(inputs[0]["uri"].as_str().unwrap().starts_with("postgres://kiln@/"), "{inputs}");
        }
    }
}

#[test]
fn no_more_connections_are_open_than_allowed() {
    let db = Server::shared();
    db.sql("CREATE TABLE t AS SELECT g AS id, 'x'::text AS text FROM generate_series(1::bigint, 4000) g");
    let mut job = Job::new(env!("CARGO_BIN_EXE_read_postgres")).on("local[6]");
    job = job
        .option("--url", db.url())
        .option("--table", "t")
        .option("--splits", "9")
        .option("--max-connections", "2");
    let running = job.option("--filter", "pg_sleep(0.001) IS NOT NULL").start();
    let copies = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY (SELECT%' AND state = 'active'
        AND datname = current_database()";
    let mut most = 0;
    db.wait_for(copies);
    for _ in 0..30 {
        most = most.max(db.sql(copies).parse::<u32>().unwrap());
    }
    assert_eq!(most, 2);
    running.wait().ok();
}
