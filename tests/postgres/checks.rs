//! What gates a load from PostgreSQL: the count under the snapshot that is read, and rows that cannot be converted.

use std::fs;

use kiln::{Check, Class, Context, Mode, Rejects, Row};
use kiln_connectors::postgres::ReadPostgres;

use crate::job::Job;
use crate::server::{PASSWORD, Server};

#[derive(Row, Clone, Debug, PartialEq)]
struct Kept {
    place: String,
    record: String,
    error: String,
}

#[derive(Row)]
struct Id {
    id: i64,
}

#[test]
fn the_rows_are_counted_at_the_snapshot_that_is_read_and_by_its_filter() {
    let db = Server::shared();
    db.sql("CREATE TABLE t AS SELECT g AS id FROM generate_series(1::bigint, 5000) g");
    let place = tempfile::tempdir().unwrap();
    let output = place.path().join("rows").display().to_string();
    let cx = Context::local(2);
    let copied = cx.copy(cx.postgres(&db.url()).table("t").filter("id % 2 = 0").splits(3).scan());
    // The snapshot is taken; what comes later is neither read nor counted.
    assert_eq!(copied.splits().unwrap(), 3);
    db.sql("INSERT INTO t SELECT g FROM generate_series(5001::bigint, 6000) g");
    copied.write().check(Check::rows_of_source()).parquet(&output).unwrap();
    let facts = cx.job_run().facts();
    assert_eq!(facts.checks[0].found, "2500 rows were read, the source counts 2500");
    let query = cx.postgres(&db.url()).query("SELECT id FROM t WHERE id > 5500").scan();
    let copied = cx.copy(query);
    copied.write().mode(Mode::Overwrite).check(Check::rows_of_source()).parquet(&output).unwrap();
    assert_eq!(cx.job_run().facts().checks[1].found, "500 rows were read, the source counts 500");
}

#[test]
fn rows_that_no_column_holds_are_kept_and_all_others_are_loaded() {
    let db = Server::shared();
    db.sql(
        "CREATE TABLE t AS SELECT g AS id, CASE WHEN g % 1000 = 7 THEN 'infinity'::date ELSE DATE '2026-01-01' END AS day,
         CASE WHEN g = 1500 THEN 'NaN'::numeric(10, 2) ELSE g::numeric(10, 2) END AS price,
         ARRAY[g, g + 1] AS pair FROM generate_series(1::bigint, 4000) g",
    );
    let place = tempfile::tempdir().unwrap();
    let output = place.path().join("rows").display().to_string();
    let load = |splits: usize, rejects: Option<Rejects>| {
        let cx = Context::local(2);
        let copied = cx.copy(cx.postgres(&db.url()).table("t").splits(splits).scan());
        let write = copied.write().mode(Mode::Overwrite).check(Check::rows_of_source());
        match rejects {
            Some(rejects) => write.rejects(rejects),
            None => write,
        }
        .parquet(&output)
    };
    let error = load(1, None).unwrap_err();
    assert_eq!(error.class(), Class::Data);
    assert!(error.message().contains("infinity"), "{error}");
    for splits in [1, 4] {
        load(splits, Some(Rejects::new())).unwrap();
        let cx = Context::local(2);
        let mut ids = cx.read_parquet::<Id>(&output).map(|row| row.id).collect().unwrap();
        ids.sort_unstable();
        let bad = [7, 1007, 1500, 2007, 3007];
        assert_eq!(ids, (1..=4000).filter(|id| !bad.contains(id)).collect::<Vec<i64>>(), "{splits} splits");
    }
    let error = load(2, Some(Rejects::new().max_rows(4))).unwrap_err();
    assert_eq!((error.class(), error.reason_word()), (Class::Data, "too_many_rejects"));
    let cx = Context::local(1);
    let kept = cx.read_json::<Kept>(&format!("{output}_rejects/run_id=*/*.json")).collect().unwrap();
    let of_price = kept.iter().find(|kept| kept.error.contains("NaN")).unwrap();
    assert!(
        of_price.record.contains(r#""id":"1500""#) && of_price.record.contains(r#""price":"\\x"#),
        "{of_price:?}"
    );
    assert!(of_price.error.contains("column price"), "{of_price:?}");
    assert_eq!(kept.iter().filter(|kept| kept.error.contains("column day")).count() % 4, 0);
}

#[test]
fn a_load_file_gates_its_load() {
    let db = Server::shared();
    db.sql("CREATE TABLE t AS SELECT g AS id, g % 5 AS day, 'x' || g AS name FROM generate_series(1::bigint, 100) g");
    let folder = tempfile::tempdir().unwrap();
    let load = |sections: &str, args: &[&str]| {
        let url = db.url().replace(&format!(":{PASSWORD}@"), "@");
        let text = format!(
            "[source]\nkind = \"postgres\"\nurl = \"{url}\"\ntable = \"t\"\n\n[target]\nuri = \"out\"\nmode = \"overwrite\"\n\n{sections}"
        );
        fs::write(folder.path().join("load.toml"), text).unwrap();
        let job = Job::new(env!("CARGO_BIN_EXE_kiln_command")).in_folder(folder.path());
        let job = job.arg("load").arg("load.toml").env("PGPASSWORD", PASSWORD);
        args.iter().fold(job, |job, arg| job.arg(*arg)).run()
    };
    let all = "[checks]\nsource_rows = true\nrows_at_least = 50\nrows_change = \"-20%..+50%\"\nnot_null = [\"id\"]\n\
        unique = [\"id\", [\"id\", \"day\"]]\n[checks.range]\nid = { min = 1, max = \"{max}\" }\n\
        [checks.accepted]\nday = [0, 1, 2, 3, 4]\n[checks.warn]\nunique = [\"day\"]\n";
    let ended = load(all, &["--param", "max=100"]).ok();
    let checks = ended.json()["checks"].as_array().unwrap().clone();
    let statuses: Vec<&str> = checks.iter().map(|check| check["status"].as_str().unwrap()).collect();
    let expected =
        ["passed", "passed", "skipped", "passed", "passed", "passed", "passed", "passed", "warned"];
    assert_eq!(statuses, expected, "{checks:?}");
    let ended = load(all, &["--param", "max=98"]);
    ended.fails(
        65,
        "data",
        &["1 of 9 checks", "id >= 1 AND id <= '98'", "2 of 100 rows break it", "id = 99 at split"],
    );
    for (sections, says) in [
        ("[checks]\nnot_nul = [\"id\"]\n", "not_nul"),
        ("[checks]\nnot_null = [\"ident\"]\n", "no column `ident`"),
        ("[checks.range]\nid = { min = \"one\" }\n", "does not fit the column `id`"),
        ("[checks]\nrows_change = \"much\"\n", "no change of the count of rows"),
        ("[checks.reject]\nunique = [\"id\"]\n", "about no single row"),
        ("[drift]\npolicy = \"melt\"\n", "melt"),
        ("[rejects]\nmax_share = 2.0\n", "no share"),
    ] {
        for step in [&["check"][..], &[]] {
            let ended = load(sections, step);
            assert_eq!(ended.code(), Some(78), "{says}: {}", ended.stderr);
            assert!(ended.stderr.contains(says), "{says}: {}", ended.stderr);
        }
    }
    db.sql("ALTER TABLE t ADD COLUMN note text; ALTER TABLE t DROP COLUMN name");
    let frozen = load("[drift]\npolicy = \"freeze\"\n", &[]);
    frozen.fails(78, "config", &["`note` is new", "`name` is missing"]);
    load("[drift]\npolicy = \"evolve\"\n", &[]).ok();
}
