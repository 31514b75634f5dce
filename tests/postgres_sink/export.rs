//! `kiln export`, as a user starts it.

use std::fs;
use std::path::Path;

use kiln::chrono::NaiveDate;
use kiln::{Context, Decimal, Mode};
use tempfile::TempDir;

use crate::job::{EXECUTORS, Job};
use crate::server::{Database, PASSWORD, Server};

#[derive(kiln::Row, Clone)]
struct Daily {
    day: NaiveDate,
    customer: String,
    revenue: Decimal<12, 2>,
}

/// Rows of two days.
fn daily() -> Vec<Daily> {
    let day = |n: u32| NaiveDate::from_ymd_opt(2026, 11, 20 + n).unwrap();
    let row = |n: u32| Daily {
        day: day(n % 2),
        customer: format!("c{n}"),
        revenue: Decimal::from_units(i128::from(n) * 125).unwrap(),
    };
    (0..1000).map(row).collect()
}

fn target(db: &Database) {
    db.sql(
        "CREATE TABLE daily (day date NOT NULL, customer text, revenue numeric(12,2));
        INSERT INTO daily SELECT DATE '2026-11-19' + g % 3, 'old', 1 FROM generate_series(0, 299) g",
    );
}

fn days(db: &Database) -> String {
    db.sql(
        "SELECT string_agg(day || ' ' || n || ' ' || sum, ', ' ORDER BY day) FROM
        (SELECT day, count(*) AS n, sum(revenue) AS sum FROM daily GROUP BY day) AS days",
    )
}

fn url(db: &Database) -> String {
    db.url().replace(&format!(":{PASSWORD}@"), "@")
}

fn file(folder: &Path, text: &str) {
    fs::write(folder.join("export.toml"), text).unwrap();
}

fn export(folder: &Path, args: &[&str]) -> Job {
    let job = Job::new(env!("CARGO_BIN_EXE_kiln_command")).in_folder(folder).arg("export").arg("export.toml");
    args.iter().fold(job.env("PGPASSWORD", PASSWORD).on("local[2]"), |job, arg| job.arg(*arg))
}

const DAY_20: &str = "2026-11-19 100 100.00, 2026-11-20 500 311875.00, 2026-11-21 100 100.00";

#[test]
fn a_day_of_a_partitioned_output_replaces_that_day_of_a_table() {
    for format in ["parquet", "delta"] {
        let (db, folder) = (Server::shared(), TempDir::new().unwrap());
        target(&db);
        let lake = folder.path().join("lake").display().to_string();
        let rows = Context::local(2).parallelize(daily());
        let write = rows.write().partition_by(["day"]);
        if format == "delta" { write.delta(&lake) } else { write.parquet(&lake) }.unwrap();
        let columns = if format == "delta" { "" } else { "hive_partitions = true\ncolumns = [\"day date\"]" };
        file(
            folder.path(),
            &format!(
                "[source]\nuri = \"lake/day={{ds}}\"\n{columns}\n\n[target]\nkind = \"postgres\"\nurl = \"{}\"\n\
                 table = \"daily\"\nreplace_where = \"day = DATE '{{ds}}'\"\n",
                url(&db)
            ),
        );
        let args = ["--param", "ds=2026-11-20"];
        let check = export(folder.path(), &args).arg("check").run();
        check.exits(0);
        assert!(check.stdout.contains("revenue   Decimal128(12, 2)"), "{}", check.stdout);
        assert!(check.stdout.contains("replaces the rows where day = DATE '2026-11-20'"), "{}", check.stdout);
        let preview = export(folder.path(), &args).arg("preview").option("--rows", "3").run();
        preview.exits(0);
        assert_eq!(preview.stdout.lines().count(), 4, "{}", preview.stdout);
        assert!(days(&db).starts_with("2026-11-19 100 100.00, 2026-11-20 100 "), "nothing is written yet");
        let first = export(folder.path(), &args).option("--run-id", "daily-20").run().ok();
        assert_eq!(days(&db), DAY_20, "{format}");
        // The retry reads nothing: what it would read is gone.
        fs::remove_dir_all(&lake).unwrap();
        let retry = export(folder.path(), &args).option("--run-id", "daily-20").run().ok();
        assert_eq!(retry.json()["outputs"], first.json()["outputs"]);
        let other = export(folder.path(), &args).option("--run-id", "daily-20-again").run();
        assert_eq!(other.code(), Some(78), "another run would need the files: {}", other.stderr);
        assert_eq!(days(&db), DAY_20, "{format}");
    }
}

#[test]
fn whole_outputs_of_every_format_are_exported() {
    let columns = "columns = [\"day date\", \"customer text\", \"revenue decimal(12, 2)\"]";
    for format in ["parquet", "delta", "csv", "json"] {
        let (db, folder) = (Server::shared(), TempDir::new().unwrap());
        let lake = folder.path().join("lake").display().to_string();
        let rows = Context::local(2).parallelize(daily());
        let write = rows.write().mode(Mode::Overwrite);
        let columns = match format {
            "csv" | "json" => columns,
            _ => "",
        };
        match format {
            "parquet" => write.parquet(&lake),
            "delta" => write.delta(&lake),
            "csv" => write.csv(&lake),
            _ => write.json(&lake),
        }
        .unwrap();
        let target = format!("kind = \"postgres\"\nurl = \"{}\"\ntable = \"daily\"\ncreate = true", url(&db));
        file(
            folder.path(),
            &format!("[source]\nuri = \"lake\"\nformat = \"{format}\"\n{columns}\n\n[target]\n{target}\n"),
        );
        let cluster = if format == "parquet" { EXECUTORS } else { "local[2]" };
        export(folder.path(), &["--kiln-mode", "overwrite"]).on(cluster).run().ok();
        assert_eq!(days(&db), "2026-11-20 500 311875.00, 2026-11-21 500 312500.00", "{format}");
    }
}

#[test]
fn what_is_wrong_with_an_export_file_is_a_config_error_that_names_it() {
    let (db, folder) = (Server::shared(), TempDir::new().unwrap());
    target(&db);
    let lake = folder.path().join("lake").display().to_string();
    Context::local(1).parallelize(daily()).write().csv(&lake).unwrap();
    let source = "uri = \"lake\"\nformat = \"csv\"\ncolumns = [\"day date\", \"customer text\", \"revenue decimal(12,2)\"]";
    let target = format!("kind = \"postgres\"\nurl = \"{}\"\ntable = \"daily\"", url(&db));
    let with_password = format!("kind = \"postgres\"\nurl = \"{}\"\ntable = \"daily\"", db.url());
    for (source, target, says) in [
        ("uri = \"lake\"\nformat = \"csv\"", target.clone(), "do not state the types"),
        (
            "uri = \"lake\"\nformat = \"csv\"\ncolumns = [\"day money\"]",
            target.clone(),
            "`day money` is no column",
        ),
        (
            "uri = \"lake\"\nformat = \"csv\"\ncolumns = [\"dai date\"]",
            target.clone(),
            "is it `dai` of the rows?",
        ),
        (source, format!("{target}\nmode = \"append\"\nreplace_where = \"day = 1\""), "has one of `mode`"),
        (source, format!("{target}\nupsert_by = [\"day\"]"), "no unique key"),
        (source, format!("{target}\nmod = \"append\""), "unknown field `mod`"),
        (source, target.replace("postgres\"\n", "oracle\"\n"), "unknown variant `oracle`"),
        (source, target.clone(), "the table has rows"),
        (source, with_password, "holds no passwords"),
    ] {
        file(folder.path(), &format!("[source]\n{source}\n\n[target]\n{target}\n"));
        let ended = export(folder.path(), &[]).run();
        assert_eq!(ended.code(), Some(78), "{says}: {}", ended.stderr);
        assert!(ended.stderr.contains(says), "{says}: {}", ended.stderr);
        assert!(!ended.stderr.contains(PASSWORD));
    }
}

#[test]
fn files_of_different_columns_are_not_copied_by_halves() {
    let (db, folder) = (Server::shared(), TempDir::new().unwrap());
    target(&db);
    let lake = folder.path().join("lake").display().to_string();
    let cx = Context::local(1);
    let rows = |n: u64| cx.parallelize(vec![(n, n)]);
    rows(1).write().names(["id", "more"]).parquet(&format!("{lake}/b")).unwrap();
    cx.parallelize(vec![1_u64]).write().names(["id"]).parquet(&format!("{lake}/a")).unwrap();
    let target = format!("kind = \"postgres\"\nurl = \"{}\"\ntable = \"ids\"\ncreate = true", url(&db));
    file(folder.path(), &format!("[source]\nuri = \"lake/*/*.parquet\"\n\n[target]\n{target}\n"));
    let ended = export(folder.path(), &[]).run();
    ended.fails(65, "data", &["the first file has no column `more`"]);
    assert_eq!(db.sql("SELECT to_regclass('ids') IS NULL"), "t");
}
