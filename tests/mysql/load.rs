//! `kiln load` of a MariaDB table, as a user starts it.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::job::{Ended, Job};
use crate::server::{Database, PASSWORD, Server};

const ROWS: u64 = 20_000;

/// A database with orders of four days, and a folder for load files and outputs.
fn orders(server: Option<&std::sync::Arc<Server>>) -> (Database, TempDir) {
    let db = server.map_or_else(Server::shared, |server| server.database());
    db.sql(&format!(
        "CREATE TABLE orders (id bigint PRIMARY KEY, customer varchar(9), price decimal(10, 2), day date);
         INSERT INTO orders SELECT seq, CONCAT('c', seq % 7), seq % 900, DATE('2026-11-01') + INTERVAL seq % 4 DAY
         FROM seq_1_to_{ROWS}; ANALYZE TABLE orders"
    ));
    (db, TempDir::new().unwrap())
}

/// The address without the password, which a load file does not hold.
fn url(db: &Database) -> String {
    db.url().replace(&format!(":{PASSWORD}@"), "@")
}

fn load_file(db: &Database, folder: &Path, source: &str, target: &str) {
    let text = format!("[source]\nkind = \"mysql\"\nurl = \"{}\"\n{source}\n\n[target]\n{target}\n", url(db));
    fs::write(folder.join("load.toml"), text).unwrap();
}

fn load(folder: &Path, args: &[&str]) -> Job {
    let job = Job::new(env!("CARGO_BIN_EXE_kiln_command")).in_folder(folder).arg("load").arg("load.toml");
    let job = job.env("MYSQL_PWD", PASSWORD);
    args.iter().fold(job, |job, arg| job.arg(*arg))
}

fn rows(ended: &Ended) -> u64 {
    ended.json()["outputs"][0]["rows"].as_u64().unwrap()
}

#[test]
fn a_guessed_file_is_checked_previewed_and_loaded() {
    let (db, folder) = orders(None);
    let guess = load(folder.path(), &["guess", "--table", "orders", "--to", "out"]);
    guess.option("--url", url(&db)).run().exits(0);
    let path = folder.path().join("load.toml");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("kind = \"mysql\"") && text.contains("#   price: Decimal128(10, 2)"), "{text}");
    let check = load(folder.path(), &["check"]).run();
    check.exits(0);
    assert!(check.stdout.contains("customer  Utf8"), "{}", check.stdout);
    let preview = load(folder.path(), &["preview", "--rows", "2"]).run();
    preview.exits(0);
    assert_eq!(preview.stdout.lines().count(), 3, "{}", preview.stdout);
    let ended = load(folder.path(), &["--kiln-mode", "overwrite"]).on("local[2]").run();
    ended.exits(0);
    assert_eq!(rows(&ended), ROWS);
    let text =
        text.replace("table = \"orders\"", "table = \"orders\"\nconsistency = \"per-split\"\nsplits = 4");
    fs::write(path, text).unwrap();
    let ended = load(folder.path(), &["--kiln-mode", "overwrite"]).on("local-cluster[2,1]").run();
    ended.exits(0);
    assert_eq!(rows(&ended), ROWS);
}

#[test]
fn a_day_is_loaded_again_and_emptied() {
    let (db, folder) = orders(None);
    let source =
        "table = \"orders\"\nfilter = \"day = '{ds}'\"\nconsistency = \"short-lock\"\nmax_connections = 2";
    let target =
        "uri = \"days\"\nmode = \"replace-partitions\"\npartition_by = [\"day\"]\nexpect = [\"day={ds}\"]";
    load_file(&db, folder.path(), source, target);
    for day in ["2026-11-01", "2026-11-02"] {
        let ended = load(folder.path(), &["--param", &format!("ds={day}")]).run();
        ended.exits(0);
        assert_eq!(rows(&ended), ROWS / 4, "{day}");
    }
    db.sql("DELETE FROM orders WHERE day = '2026-11-02'");
    let emptied = load(folder.path(), &["--param", "ds=2026-11-02"]).run();
    emptied.exits(0);
    assert_eq!(rows(&emptied), 0);
}

#[test]
fn a_retry_after_success_asks_the_server_nothing() {
    let server = Server::start_with("general_log=1\nlog_output=TABLE");
    let (db, folder) = orders(Some(&server));
    load_file(&db, folder.path(), "table = \"orders\"\nsplits = 3", "uri = \"out\"");
    let asked = || {
        db.sql("SELECT COUNT(*) FROM mysql.general_log WHERE user_host LIKE 'kiln%'").parse::<u32>().unwrap()
    };
    assert_eq!(asked(), 0);
    let first = load(folder.path(), &["--run-id", "night-1"]).run();
    first.exits(0);
    let before = asked();
    assert!(before > 5, "the log works: {before}");
    let retry = load(folder.path(), &["--run-id", "night-1"]).run();
    retry.exits(0);
    assert_eq!(retry.json()["outputs"], first.json()["outputs"]);
    assert_eq!(asked(), before, "not even a connection");
}

#[test]
fn a_password_is_neither_taken_from_a_load_file_nor_written_to_one() {
    let (db, folder) = orders(None);
    let as_parameter = format!("{}&password={PASSWORD}", url(&db));
    for url in [db.url(), as_parameter] {
        let guess = load(folder.path(), &["guess", "--table", "orders"]).option("--url", &url).run();
        assert!(!folder.path().join("load.toml").exists());
        let text = format!(
            "[source]\nkind = \"mysql\"\nurl = \"{url}\"\ntable = \"orders\"\n\n[target]\nuri = \"out\"\n"
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
