//! `kiln export` for warehouses: files in S3, and the statements that load exactly these.

use std::fs;
use std::path::Path;

use kiln::Context;
use tempfile::TempDir;

use crate::job::{EVERYWHERE, Job};
use crate::s3::{BUCKET, S3};

/// Ten lines as CSV, and an export file with this target.
fn export(s3: &S3, folder: &Path, target: &str) -> Job {
    let lake = folder.join("lake").display().to_string();
    if !folder.join("lake").exists() {
        let rows = Context::local(1).range(0..10).map(|n| (n, n * n));
        rows.write().names(["id", "square"]).parquet(&lake).unwrap();
    }
    fs::write(folder.join("export.toml"), format!("[source]\nuri = \"lake\"\n\n[target]\n{target}\n"))
        .unwrap();
    let job = Job::new(env!("CARGO_BIN_EXE_kiln_command")).in_folder(folder).arg("export").arg("export.toml");
    s3.tell(job)
}

fn redshift(rest: &str) -> String {
    format!("kind = \"redshift\"\nuri = \"s3://{BUCKET}/out/daily\"\ntable = \"shop.daily\"\n{rest}")
}

#[test]
fn a_manifest_names_the_files_of_the_last_publish_and_no_others() {
    for cluster in EVERYWHERE {
        let (s3, folder) = (S3::start(), TempDir::new().unwrap());
        let target = redshift("rows = \"overwrite\"\nmode = \"overwrite\"\nsql = \"daily-{ds}.sql\"");
        for ds in ["1", "2"] {
            let job = export(&s3, folder.path(), &target).on(cluster).arg("--param").arg(format!("ds={ds}"));
            job.run().ok();
            let sql = fs::read_to_string(folder.path().join(format!("daily-{ds}.sql"))).unwrap();
            let from = format!("COPY shop.daily FROM 's3://{BUCKET}/out/daily/_redshift_manifest.json'");
            assert!(
                sql.starts_with("BEGIN;\nDELETE FROM shop.daily WHERE TRUE;\n") && sql.contains(&from),
                "{sql}"
            );
            let text = fs::read_to_string(s3.bucket().join("out/daily/_redshift_manifest.json")).unwrap();
            let manifest: serde_json::Value = serde_json::from_str(&text).unwrap();
            let urls: Vec<String> = manifest["entries"]
                .as_array()
                .unwrap()
                .iter()
                .map(|entry| {
                    let url = entry["url"].as_str().unwrap();
                    let key = url.strip_prefix(&format!("s3://{BUCKET}/")).unwrap();
                    let bytes = fs::metadata(s3.bucket().join(key)).unwrap().len();
                    assert_eq!(entry["meta"]["content_length"], bytes);
                    key.to_owned()
                })
                .collect();
            assert_eq!(urls, s3.published("out/daily"));
            assert!(!urls.is_empty() && urls.iter().all(|url| url.ends_with(".parquet")), "{urls:?}");
        }
    }
}

#[test]
fn statements_are_printed_and_settings_of_another_system_are_refused() {
    let (s3, folder) = (S3::start(), TempDir::new().unwrap());
    let uri = format!("uri = \"s3://{BUCKET}/out/csv\"\ntable = \"shop.daily\"");
    let snowflake = format!(
        "kind = \"snowflake\"\n{uri}\nformat = \"csv\"\nstage = \"lake\"\nreplace_where = \"id < 10\""
    );
    let ended = export(&s3, folder.path(), &snowflake).run().ok();
    let files = s3.manifest("out/csv");
    assert!(
        ended.stdout.contains("COPY INTO shop.daily FROM @lake\nFILES = ('part-00000"),
        "{}",
        ended.stdout
    );
    assert!(
        ended.stdout.contains("DELETE FROM shop.daily WHERE id < 10\n;")
            && ended.stdout.contains("FORCE = TRUE")
    );
    assert!(!files.is_empty());
    for (target, says) in [
        (redshift("rows = \"append\"\nstage = \"lake\""), "`stage` is no setting of Redshift"),
        (redshift(""), "either `rows` or `replace_where`"),
        (redshift("rows = \"append\"\nformat = \"json\""), "a warehouse loads Parquet, or CSV"),
        (redshift("rows = \"append\"\nformta = \"csv\""), "unknown field `formta`"),
        (
            format!("kind = \"bigquery\"\n{uri}\nrows = \"append\"\niam_role = \"r\""),
            "no setting of BigQuery",
        ),
        (
            format!("kind = \"snowflake\"\n{uri}\nrows = \"append\""),
            "either a stage or a storage integration",
        ),
    ] {
        let ended = export(&s3, folder.path(), &target).run();
        assert_eq!(ended.code(), Some(78), "{says}: {}", ended.stderr);
        assert!(ended.stderr.contains(says), "{says}: {}", ended.stderr);
    }
    assert_eq!(s3.keys("out/daily"), [""; 0], "nothing was written before the settings were checked");
}
