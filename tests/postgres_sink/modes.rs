//! What each mode does with the rows that are there, and what is refused before a row is written.

use crate::job::{EVERYWHERE, Job};
use crate::server::Server;
use crate::{content, lines, publishes, target, write};

#[test]
fn every_mode_does_with_the_old_rows_what_it_promises() {
    for cluster in EVERYWHERE {
        for (options, expected) in [
            (&["--mode", "append", "--first", "2000"][..], "new 1000, old 2000"),
            (&["--mode", "overwrite"], "new 1000"),
            (&["--replace-where", "part = 3", "--part", "3", "--first", "5000"], "new 1000, old 1500"),
            (&["--replace-where", "part = 3", "--part", "3", "--rows", "0"], "old 1500"),
            (&["--upsert-by", "id", "--first", "1500"], "new 1000, old 1500"),
            (&["--upsert-by", "id", "--text", "null"], "null 1000, old 1000"),
        ] {
            let db = target();
            let ended = write(&db, options).on(cluster).run().ok();
            assert_eq!(lines(&db), expected, "{options:?} on {cluster}");
            let rows: u64 = if options.contains(&"0") { 0 } else { 1000 };
            assert_eq!(ended.json()["outputs"][0]["rows"], rows);
            assert_eq!(publishes(&db), "1 of 1");
        }
    }
}

#[test]
fn a_table_with_rows_is_an_error_or_a_reason_to_skip_unless_a_mode_is_chosen() {
    let db = target();
    let before = content(&db);
    let ended = write(&db, &[]).run();
    ended.fails(78, "config", &["the table has rows", "append, overwrite"]);
    assert_eq!(ended.json()["reason"], "output_exists");
    assert_eq!(write(&db, &["--mode", "ignore"]).run().code(), Some(99));
    write(&db, &["--mode", "append-once"]).run().fails(78, "config", &["append-once needs a run id"]);
    write(&db, &["--mode", "replace-partitions"]).run().fails(78, "config", &["replace_where"]);
    assert_eq!(content(&db), before);
    db.sql("DELETE FROM t");
    write(&db, &[]).run().ok();
    assert_eq!(lines(&db), "new 1000");
    // The caller may choose what the job leaves open.
    write(&db, &["--first", "1000"]).env("KILN_MODE", "append").run().ok();
    assert_eq!(lines(&db), "new 2000");
}

#[test]
fn a_table_is_created_with_its_rows_when_asked() {
    let db = Server::shared();
    write(&db, &[]).run().fails(78, "config", &["there is no table `t`", "`create`"]);
    write(&db, &["--create", "--upsert-by", "id", "--text", "null"]).run().ok();
    assert_eq!(lines(&db), "null 1000");
    let columns =
        "SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod) || ' ' || attnotnull, ', '
        ORDER BY attnum) FROM pg_attribute WHERE attrelid = 't'::regclass AND attnum > 0";
    assert_eq!(db.sql(columns), "id bigint true, part integer true, text text false");
    write(&db, &["--create", "--upsert-by", "id", "--rows", "500"]).run().ok();
    assert_eq!(lines(&db), "new 500, null 500");
}

#[test]
fn the_ledger_and_staging_tables_may_have_a_schema_of_their_own() {
    let db = target();
    db.sql("CREATE SCHEMA \"Kiln's\"");
    write(&db, &["--mode", "overwrite", "--staging-schema", "Kiln's"]).run().ok();
    assert_eq!(db.sql("SELECT count(*) FROM \"Kiln's\".kiln_publishes"), "1");
    assert_eq!(db.sql("SELECT to_regclass('public.kiln_publishes') IS NULL"), "t");
}

#[test]
fn columns_are_checked_before_any_row_is_written() {
    let db = Server::shared();
    for (table, says) in [
        ("id bigint, part integer", "no column `text`"),
        ("id bigint, part integer, txt text", "did you mean `txt`"),
        ("id bigint, part integer, text text, more text NOT NULL", "needs: it is NOT NULL"),
        ("id integer[], part integer, text text", "is Int64, which the integer[]"),
        ("id bigint, part integer, text interval[]", ""),
        ("id bigint, part text, text text", "is Int32, which the text"),
        ("id bigint GENERATED ALWAYS AS IDENTITY, part integer, text text", "the server makes"),
    ] {
        db.sql(&format!("DROP TABLE IF EXISTS t; CREATE TABLE t ({table})"));
        let ended = write(&db, &["--mode", "append", "--text", "null"]).run();
        if says.is_empty() {
            ended.exits(0);
            continue;
        }
        assert_eq!(ended.code(), Some(78), "{table}: {}", ended.stderr);
        assert!(ended.stderr.contains(says), "{says}: {}", ended.stderr);
        assert_eq!(db.sql("SELECT count(*) FROM t"), "0");
    }
    db.sql(
        "DROP TABLE t; CREATE TABLE t (id bigint, part integer, text text, more text NOT NULL DEFAULT 'x')",
    );
    write(&db, &["--mode", "append"]).run().ok();
    write(&db, &["--upsert-by", "id"]).run().fails(
        78,
        "config",
        &["no unique key of (id)", "CREATE UNIQUE INDEX"],
    );
    db.sql("CREATE UNIQUE INDEX ON t (id) WHERE part = 1; CREATE UNIQUE INDEX ON t (id, part)");
    write(&db, &["--upsert-by", "id"]).run().fails(78, "config", &["no unique key of (id)"]);
    db.sql("CREATE VIEW v AS SELECT * FROM t");
    let view =
        Job::new(env!("CARGO_BIN_EXE_write_postgres")).option("--url", db.url()).option("--table", "v");
    view.run().fails(78, "config", &["`v` is no table"]);
}

#[test]
fn values_that_do_not_fit_are_errors_with_their_place() {
    let db = Server::shared();
    db.sql("CREATE TABLE t (id smallint, part integer, text varchar(3) NOT NULL)");
    let job = |options: &[&str]| write(&db, options).on("local[1]").run();
    let ended = job(&["--mode", "append", "--first", "32700"]);
    ended.fails(65, "data", &["cannot hold", "partition 0, row 69, column id", "public.t"]);
    job(&["--mode", "append", "--text", "null"]).fails(65, "data", &["NOT NULL", "row 1, column text"]);
    job(&["--mode", "append", "--text", "four"]).fails(65, "data", &["longer than the column"]);
    assert_eq!(db.sql("SELECT count(*) FROM t"), "0");
    assert_eq!(publishes(&db), "0 of 0");
}

#[test]
fn rows_that_break_a_constraint_name_it_and_nothing_is_published() {
    let db = target();
    let before = content(&db);
    let ended = write(&db, &["--mode", "append"]).run();
    ended.fails(65, "data", &["duplicate key value", "constraint t_pkey", "23505"]);
    db.sql("ALTER TABLE t ADD CONSTRAINT \"part is small\" CHECK (part < 4)");
    let ended = write(&db, &["--mode", "overwrite", "--part", "4"]).run();
    ended.fails(65, "data", &["constraint part is small", "23514"]);
    let ended = write(&db, &["--replace-where", "part = 2", "--first", "9000"]).run();
    ended.fails(65, "data", &["750 rows are outside of the condition"]);
    write(&db, &["--replace-where", "parts = 2"]).run().fails(78, "config", &["42703"]);
    assert_eq!(content(&db), before);
    assert_eq!(publishes(&db), "0 of 0");
}

#[test]
fn two_new_rows_of_one_key_are_refused() {
    let db = Server::shared();
    db.sql("CREATE TABLE t (id bigint, part integer UNIQUE, text text)");
    let ended = write(&db, &["--upsert-by", "part"]).run();
    ended.fails(65, "data", &["several new rows have the same key"]);
    assert_eq!(ended.json()["reason"], "duplicate_key");
}

#[test]
fn permissions_that_are_missing_are_named_and_a_statement_has_its_time() {
    let db = target();
    db.sql("CREATE ROLE writer LOGIN PASSWORD 'w'; GRANT SELECT, INSERT ON t TO writer");
    let job = |url: String| {
        let job = Job::new(env!("CARGO_BIN_EXE_write_postgres")).on("local[1]").option("--url", url);
        job.option("--table", "t").option("--mode", "append").option("--first", "5000")
    };
    job(db.tcp_url("writer:w")).run().fails(77, "auth", &["permission denied for schema public", "CREATE"]);
    db.sql("CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(1); RETURN NEW; END';
        CREATE TRIGGER slow BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION slow()");
    let ended = job(db.url()).option("--statement-timeout", "300").option("--tries", "1").run();
    ended.fails(75, "transient", &["statement timeout"]);
    assert_eq!(publishes(&db), "0 of 0");
}
