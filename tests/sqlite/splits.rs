//! Splits lose no row and read none twice: by rowids with gaps, by keys of all kinds, and in executors.

use kiln::Context;
use kiln_connectors::sqlite::ReadSqlite;

use crate::job::{EVERYWHERE, Job};
use crate::{Db, series};

/// The ids of a relation, read in so many splits, and the number of splits.
fn ids(db: &Db, table: &str, split_by: Option<&str>, splits: usize) -> (Vec<i64>, usize) {
    let cx = Context::local(2);
    let mut read = cx.sqlite(db.path()).table(table).columns(["id"]).splits(splits);
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
fn rowids_with_gaps_are_read_once_whatever_the_splits() {
    let shapes = [
        ("even", "g"),
        ("holes", "g * 1000 + (g % 7)"),
        ("below zero", "g - 1500"),
        (
            "one far away",
            "CASE g WHEN 3000 THEN 9223372036854775807 WHEN 2999 THEN -9223372036854775808 ELSE g END",
        ),
        ("in two heaps", "CASE WHEN g < 1500 THEN g ELSE g + 1000000000000 END"),
        ("growing gaps", "g * g * g"),
    ];
    for (name, rowid) in shapes {
        let db = Db::new(&format!(
            "CREATE TABLE t (key INTEGER PRIMARY KEY, id INTEGER);
             INSERT INTO t SELECT {rowid}, g FROM {}",
            series(3000)
        ));
        for splits in [1, 2, 7, 64] {
            let (ids, partitions) = ids(&db, "t", None, splits);
            assert_eq!(ids, (1..=3000).collect::<Vec<_>>(), "{name}, {splits} splits");
            assert!(partitions <= splits && partitions >= splits.min(5), "{name}: {partitions} of {splits}");
        }
    }
    let db = Db::new("CREATE TABLE t (id INTEGER)");
    assert_eq!(ids(&db, "t", None, 4), (vec![], 1));
    db.sql("INSERT INTO t VALUES (5)");
    assert_eq!(ids(&db, "t", None, 4), (vec![5], 1));
}

#[test]
fn splits_of_a_table_in_heaps_are_about_equal() {
    let db = Db::new(&format!(
        "CREATE TABLE t (key INTEGER PRIMARY KEY, id INTEGER);
         INSERT INTO t SELECT CASE WHEN g < 2000 THEN g ELSE g + 1000000000000 END, g FROM {}",
        series(4000)
    ));
    let cx = Context::local(1);
    let read = cx.sqlite(db.path()).table("t").splits(4).read::<(i64, i64)>();
    let sizes = read.map_partitions(|_, rows| std::iter::once(rows.count() as u64)).collect().unwrap();
    assert_eq!(sizes, [1000; 4]);
}

#[test]
fn a_rowid_that_a_column_hides_has_other_names() {
    let db = Db::new(&format!(
        "CREATE TABLE t (rowid TEXT, id INTEGER); INSERT INTO t SELECT 'x', g FROM {0};
         CREATE TABLE u (rowid TEXT, oid TEXT, _rowid_ TEXT, id INTEGER); INSERT INTO u SELECT 'x', 'y', 'z', g FROM {0}",
        series(1000)
    ));
    let all: Vec<i64> = (1..=1000).collect();
    assert_eq!(ids(&db, "t", None, 5), (all.clone(), 5));
    assert_eq!(ids(&db, "u", None, 5), (all, 1), "all three names are taken");
}

#[test]
fn keys_with_nulls_duplicates_and_values_of_all_types_lose_and_double_nothing() {
    let keys = [
        ("INTEGER", "g % 50 - 25"),
        ("TEXT", "char(39 + g % 60) || '''' || (g % 9)"),
        ("TEXT COLLATE NOCASE", "char(65 + g % 26 + 32 * (g % 2))"),
        ("REAL", "CASE WHEN g % 40 = 0 THEN 9e999 WHEN g % 41 = 0 THEN -9e999 ELSE g * 0.1 END"),
        ("BLOB", "randomblob(3)"),
        ("", "CASE g % 4 WHEN 0 THEN g WHEN 1 THEN g * 0.5 WHEN 2 THEN 'k' || g ELSE randomblob(2) END"),
        ("NUMERIC", "CASE g % 2 WHEN 0 THEN g ELSE 'word ' || (g % 10) END"),
        ("TEXT", "CASE g % 3 WHEN 0 THEN 'a' || char(0) || 'b' ELSE 'a' END"),
        ("INTEGER", "NULL"),
    ];
    for (key, value) in keys {
        let db = Db::new(&format!(
            "CREATE TABLE t (id INTEGER, \"my \"\"key\" {key});
             INSERT INTO t SELECT g, CASE WHEN g % 5 = 0 THEN NULL ELSE {value} END FROM {};
             CREATE VIEW v AS SELECT * FROM t",
            series(2000)
        ));
        for splits in [1, 2, 7, 40] {
            for relation in ["t", "v"] {
                let (ids, partitions) = ids(&db, relation, Some("my \"key"), splits);
                assert_eq!(
                    ids,
                    (1..=2000).collect::<Vec<_>>(),
                    "{relation} by {key} {value}, {splits} splits"
                );
                assert!(partitions <= splits);
            }
        }
    }
}

#[test]
fn a_table_without_rowids_is_one_split_or_cut_by_its_key() {
    let db = Db::new(&format!(
        "CREATE TABLE t (area TEXT, id INTEGER, PRIMARY KEY (area, id)) WITHOUT ROWID;
         INSERT INTO t SELECT 'area ' || (g % 20), g FROM {}",
        series(2000)
    ));
    let all: Vec<i64> = (1..=2000).collect();
    assert_eq!(ids(&db, "t", None, 6), (all.clone(), 1));
    assert_eq!(ids(&db, "t", Some("area"), 6), (all.clone(), 6));
    assert_eq!(ids(&db, "t", Some("id"), 6), (all, 6));
}

#[test]
fn a_filter_holds_in_every_split() {
    let db = Db::new(&format!("CREATE TABLE t (id INTEGER); INSERT INTO t SELECT g FROM {}", series(3000)));
    let cx = Context::local(2);
    for key in [None, Some("id")] {
        let mut read = cx.sqlite(db.path()).table("t").splits(5).filter("id % 3 = 0 OR id = 1 -- a remark");
        if let Some(key) = key {
            read = read.split_by(key);
        }
        assert_eq!(read.read::<i64>().count().unwrap(), 1001);
    }
}

#[test]
fn executors_read_what_one_process_reads() {
    let db = Db::new(&format!(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT);
         INSERT INTO t SELECT g, substr('ééééééééééééééééééé', 1, g % 20) FROM {}",
        series(30_000)
    ));
    let expected = db.one("SELECT 'rows ' || count(*) || ' ' || sum(id + length(CAST(text AS BLOB))) FROM t");
    for mode in ["DELETE", "WAL"] {
        db.sql(&format!("PRAGMA journal_mode = {mode}"));
        for cluster in EVERYWHERE {
            let job = Job::new(env!("CARGO_BIN_EXE_read_sqlite")).on(cluster).option("--path", db.path());
            let ended = job.option("--table", "t").option("--splits", "9").run().ok();
            assert!(ended.stdout.contains(&expected), "{cluster}: {} is not {expected}", ended.stdout);
            let inputs = &ended.json()["inputs"];
            assert!(inputs[0]["uri"].as_str().unwrap().starts_with("sqlite:/"), "{inputs}");
        }
    }
}
