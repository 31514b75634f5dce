//! Splits lose no row and read none twice: by integers with gaps, by keys of all types, of views and queries.

use kiln::Context;
use kiln_connectors::mysql::{Consistency, ReadMysql};

use crate::job::Job;
use crate::server::{Database, Server};

/// The ids of a relation, read in so many splits, and the number of splits.
fn ids(db: &Database, table: &str, split_by: Option<&str>, splits: usize) -> (Vec<i64>, usize) {
    let cx = Context::local(2);
    let mut read = cx.mysql(&db.url()).table(table).columns(["id"]).splits(splits);
    if let Some(key) = split_by {
        read = read.split_by(key);
    }
    let read = read.consistency(Consistency::ShortLock).max_connections(2).read::<i64>();
    let partitions = read.num_partitions();
    let mut ids = read.collect().unwrap();
    ids.sort_unstable();
    (ids, partitions)
}

#[test]
fn integer_keys_with_gaps_are_read_once_whatever_the_splits() {
    let db = Server::shared();
    let shapes = [
        ("even", "bigint", "seq"),
        ("holes", "int", "seq * 1000 + (seq % 7)"),
        ("negative", "bigint", "CAST(seq AS SIGNED) - 1500"),
        (
            "far",
            "bigint",
            "CASE seq WHEN 3000 THEN 9223372036854775807 WHEN 2999 THEN -9223372036854775808 ELSE seq END",
        ),
        ("unsigned_far", "bigint unsigned", "CASE seq WHEN 3000 THEN 18446744073709551615 ELSE seq END"),
        ("heaps", "bigint", "IF(seq < 1500, seq, seq + 1000000000000)"),
    ];
    for (name, key, value) in shapes {
        db.sql(&format!(
            "CREATE TABLE {name} (k {key} PRIMARY KEY, id bigint); INSERT INTO {name} SELECT {value}, seq FROM seq_1_to_3000;
             ANALYZE TABLE {name}"
        ));
        for splits in [1, 2, 7, 40] {
            let (ids, partitions) = ids(&db, name, None, splits);
            assert_eq!(ids, (1..=3000).collect::<Vec<_>>(), "{name}, {splits} splits");
            assert!(partitions <= splits && partitions >= splits.min(4), "{name}: {partitions} of {splits}");
        }
    }
    db.sql("CREATE TABLE nothing (id bigint PRIMARY KEY)");
    assert_eq!(ids(&db, "nothing", None, 4), (vec![], 1));
}

#[test]
fn splits_of_a_table_in_heaps_are_about_equal() {
    let db = Server::shared();
    db.sql(
        "CREATE TABLE t (id bigint PRIMARY KEY, text char(100));
         INSERT INTO t SELECT IF(seq < 20000, seq, seq + 1000000000000), 'x' FROM seq_1_to_40000; ANALYZE TABLE t",
    );
    let cx = Context::local(1);
    let read = cx.mysql(&db.url()).table("t").splits(4).read::<(i64, String)>();
    let sizes = read.map_partitions(|_, rows| std::iter::once(rows.count() as u64)).collect().unwrap();
    assert_eq!(sizes.len(), 4);
    assert!(sizes.iter().all(|rows| (4000..18_000).contains(rows)), "{sizes:?}");
}

#[test]
fn keys_of_all_types_with_nulls_and_duplicates_lose_and_double_nothing() {
    let db = Server::shared();
    let keys = [
        ("bigint", "FLOOR(RAND() * 50) - 25"),
        ("int unsigned", "FLOOR(RAND() * 4294967295)"),
        (
            "varchar(20) COLLATE utf8mb4_general_ci",
            "CONCAT(CHAR(65 + RAND() * 60), '\\\\', FLOOR(RAND() * 9))",
        ),
        ("varchar(20) COLLATE utf8mb4_bin", "CONCAT(CHAR(39 + RAND() * 60), FLOOR(RAND() * 9))"),
        ("varchar(20) CHARACTER SET latin1", "CONVERT(UNHEX(CONCAT('E', FLOOR(RAND() * 9))) USING latin1)"),
        ("char(5)", "FLOOR(RAND() * 999)"),
        ("text", "REPEAT(CHAR(65 + RAND() * 20), 1 + FLOOR(RAND() * 300))"),
        ("varbinary(5)", "RANDOM_BYTES(3)"),
        ("datetime(6)", "NOW(6) - INTERVAL FLOOR(RAND() * 1e9) MICROSECOND"),
        ("timestamp(3) NULL", "NOW(3) - INTERVAL FLOOR(RAND() * 1e9) MICROSECOND"),
        ("date", "IF(RAND() < 0.2, '0000-00-00', DATE('2026-01-01') + INTERVAL FLOOR(RAND() * 9) DAY)"),
        ("time", "SEC_TO_TIME((RAND() - 0.5) * 6000000)"),
        ("decimal(20,3)", "(RAND() - 0.5) * 1e9"),
        ("float", "(RAND() - 0.5) * 100"),
        ("double", "(RAND() - 0.5) * 1e300"),
        ("year", "1901 + FLOOR(RAND() * 200)"),
        ("enum('z','m','a')", "1 + FLOOR(RAND() * 3)"),
        ("bit(5)", "FLOOR(RAND() * 32)"),
        ("uuid", "UUID()"),
    ];
    for (n, (key, value)) in keys.into_iter().enumerate() {
        let rows = [1, 200, 2000][n % 3];
        db.sql(&format!(
            "SET sql_mode = ''; CREATE TABLE k{n} (id bigint PRIMARY KEY, `My ``Key` {key});
             INSERT INTO k{n} SELECT seq, IF(RAND() < 0.2, NULL, {value}) FROM seq_1_to_{rows};
             CREATE VIEW v{n} AS SELECT * FROM k{n}; ANALYZE TABLE k{n}"
        ));
        if !matches!(key, "text") {
            db.sql(&format!("ALTER TABLE k{n} ADD KEY (`My ``Key`)"));
        }
        for splits in [1, 2, 7] {
            for relation in [format!("k{n}"), format!("v{n}")] {
                let (ids, partitions) = ids(&db, &relation, Some("My `Key"), splits);
                assert_eq!(ids, (1..=rows).collect::<Vec<_>>(), "{relation} by {key}, {splits} splits");
                let is_cut = rows < 200 || splits == 1 || partitions > 1;
                assert!(
                    partitions <= splits && (is_cut || key.starts_with("enum") || key.starts_with("bit")),
                    "{key}"
                );
            }
        }
    }
}

#[test]
fn a_composite_key_is_cut_by_its_first_column_and_a_unique_key_by_its_nulls() {
    let db = Server::shared();
    db.sql(
        "CREATE TABLE composite (area varchar(10), id bigint, PRIMARY KEY (area, id));
         INSERT INTO composite SELECT CONCAT('area ', seq % 20), seq FROM seq_1_to_2000;
         CREATE TABLE uniq (id bigint, code varchar(10), UNIQUE KEY (code));
         INSERT INTO uniq SELECT seq, IF(seq % 3 = 0, NULL, CONCAT('c', seq)) FROM seq_1_to_2000;
         CREATE TABLE bare (id bigint, KEY (id)); INSERT INTO bare SELECT seq FROM seq_1_to_2000;
         CREATE TABLE prefix (id bigint, code varchar(200), UNIQUE KEY (code(5)));
         INSERT INTO prefix SELECT seq, seq FROM seq_1_to_2000; ANALYZE TABLE composite, uniq, bare, prefix",
    );
    let all: Vec<i64> = (1..=2000).collect();
    assert_eq!(ids(&db, "composite", None, 6), (all.clone(), 6));
    assert_eq!(ids(&db, "composite", Some("id"), 6), (all.clone(), 6));
    assert_eq!(ids(&db, "uniq", None, 6), (all.clone(), 6));
    assert_eq!(ids(&db, "bare", None, 6), (all.clone(), 1), "no key is unique");
    assert_eq!(ids(&db, "prefix", None, 6), (all, 1), "a part of a column is no key");
}

#[test]
fn partitioned_tables_and_tables_without_transactions_are_read_once() {
    let db = Server::shared();
    db.sql(
        "CREATE TABLE p (id bigint PRIMARY KEY) PARTITION BY HASH (id) PARTITIONS 4; INSERT INTO p SELECT seq FROM seq_1_to_3000;
         CREATE TABLE m (id bigint PRIMARY KEY) ENGINE = MyISAM; INSERT INTO m SELECT seq FROM seq_1_to_3000;
         ANALYZE TABLE p, m",
    );
    let all: Vec<i64> = (1..=3000).collect();
    let (found, partitions) = ids(&db, "p", None, 5);
    assert!(found == all && partitions > 1, "{partitions}");
    assert_eq!(ids(&db, "m", None, 5), (all.clone(), 1), "it has no snapshot");
    let cx = Context::local(2);
    let read = cx.mysql(&db.url()).table("m").splits(5).consistency(Consistency::PerSplit).read::<i64>();
    assert!(read.num_partitions() > 1);
    assert_eq!(read.count().unwrap(), 3000);
}

#[test]
fn a_filter_holds_in_every_split_and_a_query_is_cut_by_a_column() {
    let db = Server::shared();
    db.sql("CREATE TABLE t (id bigint PRIMARY KEY); INSERT INTO t SELECT seq FROM seq_1_to_3000; ANALYZE TABLE t");
    let cx = Context::local(2);
    let read =
        cx.mysql(&db.url()).table("t").splits(5).filter("id % 3 = 0 OR id = 1 -- a remark").read::<i64>();
    assert_eq!(read.count().unwrap(), 1001);
    let query = cx
        .mysql(&db.url())
        .query("SELECT id * 2 AS twice FROM t # all")
        .split_by("twice")
        .splits(4)
        .read::<i64>();
    assert_eq!(query.num_partitions(), 4);
    assert_eq!(query.count().unwrap(), 3000);
}

#[test]
fn executors_read_what_one_process_reads() {
    let db = Server::shared();
    db.sql(
        "CREATE TABLE t (id bigint PRIMARY KEY, text varchar(50));
         INSERT INTO t SELECT seq, REPEAT('é', seq % 50) FROM seq_1_to_30000; ANALYZE TABLE t",
    );
    let expected = db.sql("SELECT CONCAT('rows ', COUNT(*), ' ', SUM(id + LENGTH(text))) FROM t");
    for (cluster, consistency) in [
        ("local[2]", "one-connection"),
        ("local[2]", "short-lock"),
        ("local[2]", "per-split"),
        ("local-cluster[2,1]", "per-split"),
    ] {
        let job = Job::new(env!("CARGO_BIN_EXE_read_mysql")).on(cluster).option("--url", db.url());
        let job = job.option("--table", "t").option("--splits", "9").option("--consistency", consistency);
        let ended = job.run().ok();
        assert!(ended.stdout.contains(&expected), "{cluster}: {} is not {expected}", ended.stdout);
        let inputs = &ended.json()["inputs"];
        assert!(inputs[0]["uri"].as_str().unwrap().starts_with("mysql://kiln@/"), "{inputs}");
    }
}

#[test]
fn no_more_connections_are_open_than_allowed() {
    let db = Server::shared();
    db.sql(
        "CREATE TABLE t (id bigint PRIMARY KEY, text char(1)); INSERT INTO t SELECT seq, 'x' FROM seq_1_to_2000; ANALYZE TABLE t",
    );
    let open = format!(
        "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE DB = '{}' AND USER = 'kiln'",
        db.name()
    );
    let reading = format!("{open} AND INFO LIKE 'SELECT%SLEEP%'");
    for (consistency, connections, at_once) in
        [("one-connection", "6", 1), ("short-lock", "3", 3), ("per-split", "2", 2)]
    {
        let mut job = Job::new(env!("CARGO_BIN_EXE_read_mysql")).on("local[6]").option("--url", db.url());
        job = job.option("--table", "t").option("--splits", "9").option("--consistency", consistency);
        job = job.option("--max-connections", connections);
        let running = job.option("--filter", "SLEEP(0.001) = 0").start();
        db.wait_for(&reading);
        let (mut most, mut most_open) = (0, 0);
        for _ in 0..30 {
            most = most.max(db.sql(&reading).parse::<u32>().unwrap());
            most_open = most_open.max(db.sql(&open).parse::<u32>().unwrap());
        }
        assert_eq!((most, most_open), (at_once, at_once), "{consistency}");
        running.wait().ok();
    }
}
