//! `kiln load`, as a user starts it, against the private server.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::job::{Ended, Job};
use crate::server::{Database, PASSWORD, Server};

const ROWS: u64 = 20_000;
const DAY: &str = "day = DATE '{ds}'";

/// A database with orders of four days, and a folder for load files and outputs.
fn orders() -> (Database, TempDir) {
    let db = Server::shared();
    db.sql(&format!(
        "CREATE TABLE orders AS SELECT g AS id, 'c' || g % 7 AS customer, (g % 900)::numeric(10, 2) AS price,
         DATE '2026-11-01' + (g % 4)::int AS day FROM generate_series(1::bigint, {ROWS}) g"
    ));
    (db, TempDir::new().unwrap())
}

/// The address without the password, which a load file does not hold.
fn url(db: &Database) -> String {
    db.url().replace(&format!(":{PASSWORD}@"), "@")
}

fn load_file(db: &Database, folder: &Path, source: &str, target: &str) {
    let text =
        format!("[source]\nkind = \"postgres\"\nurl = \"{}\"\n{source}\n\n[target]\n{target}\n", url(db));
    fs::write(folder.join("load.toml"), text).unwrap();
}

fn load(folder: &Path, args: &[&str]) -> Job {
    let job = Job::new(env!("CARGO_BIN_EXE_kiln_command")).in_folder(folder).arg("load").arg("load.toml");
    let job = job.env("PGPASSWORD", PASSWORD);
    args.iter().fold(job, |job, arg| job.arg(*arg))
}

fn rows(ended: &Ended) -> u64 {
    ended.json()["outputs"][0]["rows"].as_u64().unwrap()
}

#[test]
fn a_guessed_file_is_checked_previewed_and_loaded() {
    let (db, folder) = orders();
    let guess = load(folder.path(), &["guess", "--table", "orders", "--to", "out"]);
    guess.option("--url", url(&db)).run().exits(0);
    let text = fs::read_to_string(folder.path().join("load.toml")).unwrap();
    assert!(text.contains("#   price: Decimal128(10, 2), may be null"), "{text}");
    let check = load(folder.path(), &["check"]).run();
    check.exits(0);
    assert!(
        check.stdout.contains("customer  Utf8") && check.stdout.contains("to out as parquet"),
        "{}",
        check.stdout
    );
    let preview = load(folder.path(), &["preview", "--rows", "2"]).run();
    preview.exits(0);
    let lines: Vec<&str> = preview.stdout.lines().collect();
    assert_eq!(lines.len(), 3, "a header and two rows: {}", preview.stdout);
    assert!(!folder.path().join("out").exists(), "nothing is loaded yet");
    for cluster in ["local[2]", "local-cluster[2,1]"] {
        let ended = load(folder.path(), &["--kiln-mode", "overwrite"]).on(cluster).run();
        ended.exits(0);
        assert_eq!(rows(&ended), ROWS, "{cluster}");
    }
    let again = load(folder.path(), &["guess", "--table", "orders"]).option("--url", url(&db)).run();
    assert_eq!(again.code(), Some(78), "a load file is never overwritten: {}", again.stderr);
}

#[test]
fn a_day_is_loaded_again_and_emptied_and_the_others_stay() {
    let (db, folder) = orders();
    let target =
        "uri = \"days\"\nmode = \"replace-partitions\"\npartition_by = [\"day\"]\nexpect = [\"day={ds}\"]";
    load_file(&db, folder.path(), &format!("table = \"orders\"\nfilter = \"{DAY}\""), target);
    for day in ["2026-11-01", "2026-11-02"] {
        let ended = load(folder.path(), &["--param", &format!("ds={day}")]).run();
        ended.exits(0);
        assert_eq!(rows(&ended), ROWS / 4, "{day}");
    }
    db.sql("DELETE FROM orders WHERE day = DATE '2026-11-02'");
    let emptied = load(folder.path(), &["--param", "ds=2026-11-02"]).run();
    emptied.exits(0);
    assert_eq!(rows(&emptied), 0);
    let parquet = |day: &str| {
        let files = fs::read_dir(folder.path().join("days").join(format!("day={day}")));
        files.map_or(0, |files| files.filter(|f| f.as_ref().unwrap().path().extension().is_some()).count())
    };
    assert_eq!([parquet("2026-11-01"), parquet("2026-11-02")], [1, 0]);
}

#[test]
fn a_retry_after_success_reports_the_same_and_asks_the_server_nothing() {
    let (db, folder) = orders();
    load_file(&db, folder.path(), "table = \"orders\"", "uri = \"out\"");
    let first = load(folder.path(), &["--run-id", "night-1"]).run();
    first.exits(0);
    db.sql("DROP TABLE orders");
    let retry = load(folder.path(), &["--run-id", "night-1"]).run();
    retry.exits(0);
    assert_eq!(retry.json()["outputs"], first.json()["outputs"]);
    let other = load(folder.path(), &["--run-id", "night-2"]).run();
    assert_eq!(other.code(), Some(78), "another run would need the table: {}", other.stderr);
}

#[test]
fn what_is_wrong_with_a_load_file_is_a_config_error_that_names_it() {
    let (db, folder) = orders();
    let table = "table = \"orders\"";
    let both = format!("{table}\nquery = \"SELECT 1\"");
    let filtered = format!("{table}\nfilter = \"{DAY}\"");
    let by_hour = "uri = \"out\"\npartition_by = [\"hour\"]";
    for (source, target, args, says) in [
        (table, "urj = \"out\"", &[][..], "unknown field `urj`"),
        (table, "uri = \"out\"\nmode = \"all\"", &[], "`all` is no mode"),
        (table, by_hour, &[], "hour"),
        (&both, "uri = \"out\"", &[], "either a `table` or a `query`"),
        (&filtered, "uri = \"out\"", &[], "asks for `{ds}`"),
        (&filtered, "uri = \"out\"", &["--param", "ds=1' OR '1'='1"], "cannot be put into SQL"),
        (table, "uri = \"out\"", &["--param", "ds=1"], "does not use the parameter `ds`"),
        ("table = \"ordres\"", "uri = \"out\"", &[], "orders"),
    ] {
        load_file(&db, folder.path(), source, target);
        let ended = load(folder.path(), args).run();
        assert_eq!(ended.code(), Some(78), "{says}: {}", ended.stderr);
        assert!(ended.stderr.contains(says), "{says}: {}", ended.stderr);
        assert!(!folder.path().join("out").exists(), "{says}");
    }
}

#[test]
fn a_password_is_neither_taken_from_a_load_file_nor_written_to_one() {
    let (db, folder) = orders();
    let as_parameter = format!("{}&password={PASSWORD}", url(&db));
    for url in [db.url(), as_parameter] {
        let guess = load(folder.path(), &["guess", "--table", "orders"]).option("--url", &url).run();
        assert!(!folder.path().join("load.toml").exists());
        let text = format!(
            "[source]\nkind = \"postgres\"\nurl = \"{url}\"\ntable = \"orders\"\n\n[target]\nuri = \"out\"\n"
        );
        fs::write(folder.path().join("load.toml"), text).unwrap();
        let loaded = load(folder.path(), &[]).run();
        for ended in [guess, loaded] {
            assert_eq!(ended.code(), Some(78), "{}", ended.stderr);
            assert!(ended.stderr.contains("holds no passwords"), "{}", ended.stderr);
            assert!(!ended.stderr.contains(PASSWORD) && !ended.stdout.contains(PASSWORD));
        }
        fs::remove_file(folder.path().join("load.toml")).unwrap();
    }
}
