//! `kiln load` of a SQLite file, as a user starts it.

use std::fs;

use crate::job::{Ended, Job};
use crate::{Db, series};

const ROWS: u64 = 9000;

fn orders() -> Db {
    Db::new(&format!(
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT, price DECIMAL(10, 2), day DATE);
         INSERT INTO orders SELECT g, 'c' || (g % 7), (g % 900) * 0.5, date('2026-11-01', (g % 3) || ' days') FROM {}",
        series(ROWS)
    ))
}

fn load(db: &Db, args: &[&str]) -> Job {
    let job =
        Job::new(env!("CARGO_BIN_EXE_kiln_command")).in_folder(db.folder.path()).arg("load").arg("load.toml");
    args.iter().fold(job, |job, arg| job.arg(*arg))
}

fn rows(ended: &Ended) -> u64 {
    ended.json()["outputs"][0]["rows"].as_u64().unwrap()
}

#[test]
fn a_guessed_file_is_checked_previewed_and_loaded() {
    let db = orders();
    for url in ["sqlite:shop.db", "shop.db"] {
        load(&db, &["guess", "--url", url, "--table", "orders", "--to", "out"]).run().exits(0);
        let text = fs::read_to_string(db.folder.path().join("load.toml")).unwrap();
        assert!(
            text.contains("path = \"shop.db\"") && text.contains("#   price: Decimal128(10, 2)"),
            "{text}"
        );
        fs::remove_file(db.folder.path().join("load.toml")).unwrap();
    }
    load(&db, &["guess", "--url", "shop.db", "--table", "orders", "--to", "out"]).run().exits(0);
    let check = load(&db, &["check"]).run();
    check.exits(0);
    assert!(check.stdout.contains("customer  Utf8"), "{}", check.stdout);
    let preview = load(&db, &["preview", "--rows", "2"]).run();
    preview.exits(0);
    assert_eq!(preview.stdout.lines().count(), 3, "{}", preview.stdout);
    for cluster in ["local[2]", "local-cluster[2,1]"] {
        let ended = load(&db, &["--kiln-mode", "overwrite"]).on(cluster).run();
        ended.exits(0);
        assert_eq!(rows(&ended), ROWS, "{cluster}");
    }
}

#[test]
fn a_day_is_loaded_by_a_filter_and_a_retry_asks_nothing() {
    let db = orders();
    let text = "[source]\nkind = \"sqlite\"\npath = \"shop.db\"\ntable = \"orders\"\nfilter = \"day = '{ds}'\"\nsplits = 3\n
[target]\nuri = \"days\"\nmode = \"replace-partitions\"\npartition_by = [\"day\"]\nexpect = [\"day={ds}\"]\n";
    fs::write(db.folder.path().join("load.toml"), text).unwrap();
    let args = ["--param", "ds=2026-11-02", "--run-id", "night-1"];
    let first = load(&db, &args).run();
    first.exits(0);
    assert_eq!(rows(&first), ROWS / 3);
    db.sql("DROP TABLE orders");
    let retry = load(&db, &args).run();
    retry.exits(0);
    assert_eq!(retry.json()["outputs"], first.json()["outputs"]);
    let other = load(&db, &["--param", "ds=2026-11-02", "--run-id", "night-2"]).run();
    assert_eq!(other.code(), Some(78), "another run would need the table: {}", other.stderr);
}
