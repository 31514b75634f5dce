//! What becomes of the rows that are there, and what is refused before a row is read.

use crate::job::EVERYWHERE;
use crate::server::Server;
use crate::{content, lines, publishes, target, write};

#[test]
fn each_mode_does_what_it_says_wherever_the_job_runs() {
    for cluster in EVERYWHERE {
        for (options, expected) in [
            (&["--mode", "append", "--first", "2000"][..], "new 1000, old 2000"),
            (&["--mode", "overwrite"], "new 1000"),
            (&["--replace-where", "part = 1", "--part", "1", "--first", "5000"], "new 1000, old 1500"),
            (&["--replace-where", "part = 1", "--rows", "0"], "old 1500"),
            (&["--upsert-by", "id", "--first", "1500"], "new 1000, old 1500"),
            (&["--upsert-by", "id", "--first", "1500", "--text", "null"], "null 1000, old 1500"),
        ] {
            let db = target();
            let ended = write(&db, options).on(cluster).run().ok();
            assert_eq!(lines(&db), expected, "{cluster}, {options:?}");
            assert_eq!(publishes(&db), "1 of 1");
            let rows = ended.json()["outputs"][0]["rows"].as_u64();
            assert_eq!(rows, Some(if options.contains(&"0") { 0 } else { 1000 }));
        }
    }
}

#[test]
fn a_table_with_rows_is_refused_or_skipped_unless_the_mode_says_what_becomes_of_them() {
    let db = target();
    let before = content(&db);
    write(&db, &[]).run().fails(78, "config", &["the table has rows"]);
    assert_eq!(write(&db, &["--mode", "ignore"]).run().code(), Some(99));
    write(&db, &["--mode", "replace-partitions"]).run().fails(78, "config", &["replace_where"]);
    assert_eq!(content(&db), before);
}

#[test]
fn a_table_that_is_not_there_is_made_if_that_is_asked_for() {
    let db = Server::shared();
    write(&db, &[]).run().fails(78, "config", &["there is no table", "`create`"]);
    write(&db, &["--create", "--upsert-by", "id"]).run().ok();
    assert_eq!(lines(&db), "new 1000");
    write(&db, &["--create", "--upsert-by", "id", "--first", "500", "--text", "later"]).run().ok();
    assert_eq!(lines(&db), "later 1000, new 500");
}

#[test]
fn rows_outside_of_the_condition_and_rows_of_one_key_are_data() {
    let db = target();
    let before = content(&db);
    let outside = write(&db, &["--replace-where", "part = 1", "--first", "5000"]).run();
    outside.fails(65, "data", &["750 rows are outside of the condition"]);
    let doubled = write(&db, &["--mode", "append", "--first", "1500"]).run();
    assert_eq!(doubled.code(), Some(65), "{}", doubled.stderr);
    assert_eq!(content(&db), before);
    db.sql("ALTER TABLE t DROP PRIMARY KEY, ADD UNIQUE KEY (part, id)");
    write(&db, &["--upsert-by", "id"]).run().fails(78, "config", &["no unique key of (id)"]);
    db.sql("ALTER TABLE t ADD PRIMARY KEY (id)");
    write(&db, &["--upsert-by", "id"]).run().fails(78, "config", &["another unique key"]);
    assert_eq!(publishes(&db), "0 of 0");
}

#[test]
fn columns_that_do_not_fit_are_refused_before_a_row_is_read() {
    for (table, says) in [
        ("id bigint PRIMARY KEY, part int", "has no column `text`"),
        ("id bigint PRIMARY KEY, part double, text text", "the column `part` is Int32"),
        ("id bigint PRIMARY KEY, part int, text text, more int NOT NULL", "needs"),
        ("id bigint PRIMARY KEY, part int AS (1), text text", "the server makes the values"),
    ] {
        let db = Server::shared();
        db.sql(&format!("CREATE TABLE t ({table})"));
        write(&db, &[]).run().fails(78, "config", &[says]);
    }
    let db = Server::shared();
    db.sql("CREATE TABLE t (id bigint PRIMARY KEY, part int, text text) ENGINE = MyISAM");
    write(&db, &[]).run().fails(78, "config", &["no table with transactions"]);
}

#[test]
fn a_value_that_its_column_does_not_hold_is_data() {
    for table in [
        "id tinyint, part int, text text",
        "id bigint, part int, text varchar(2)",
        "id bigint, part int, text text NOT NULL",
    ] {
        let db = Server::shared();
        db.sql(&format!("CREATE TABLE t ({table})"));
        let ended = write(&db, &["--text", if table.ends_with("NOT NULL") { "null" } else { "long" }]).run();
        assert_eq!(ended.code(), Some(65), "{table}: {}", ended.stderr);
        assert_eq!(publishes(&db), "0 of 0");
    }
}
