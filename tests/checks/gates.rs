//! Loads as processes: what a failed check leaves, and what machines are told.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::folder;
use super::job::{EVERYWHERE, Ended, Job};
use super::orders::{Order, Orders, sound};
use super::s3::{BUCKET, S3};

/// A load of `orders`, whose file is put into `folder`.
pub(crate) fn load(folder: &Path, orders: &Orders, output: &str) -> Job {
    let file = folder.join(format!("{}.json", uuid::Uuid::new_v4()));
    fs::write(&file, serde_json::to_string(orders).unwrap()).unwrap();
    Job::new(env!("CARGO_BIN_EXE_gated")).option("--orders", file).option("--output", output)
}

fn all_checks(job: Job) -> Job {
    ["source", "not_null", "unique", "amount", "state", "change"]
        .into_iter()
        .fold(job, |job, name| job.option("--check", name))
}

fn statuses(ended: &Ended) -> Vec<(String, String)> {
    let checks = ended.json()["checks"].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    checks.iter().map(|check| (text(&check["check"]), text(&check["status"]))).collect()
}

/// Orders that break four checks.
fn broken() -> Vec<Order> {
    let mut rows = sound(60);
    (rows[3].id, rows[30].id) = (None, Some(31));
    (rows[40].amount, rows[41].state) = (Some(2000.0), Some("odd".to_owned()));
    rows
}

fn fails_and_leaves(old: usize, job: impl Fn(&Orders) -> Job) {
    let first = all_checks(job(&Orders::of(sound(old)))).run().ok();
    assert_eq!(first.stdout, format!("{old} rows\n"));
    assert!(statuses(&first).iter().all(|(_, status)| status == "passed" || status == "skipped"));
    let ended = all_checks(job(&Orders { counted: Some(61), ..Orders::of(broken()) })).run();
    let words = ["5 of 6 checks", "id IS NOT NULL", "unique id", "amount = 2000", "state = odd", "counts 61"];
    ended.fails(65, "data", &words);
    assert_eq!(ended.json()["reason"], "check_failed");
    let failed = statuses(&ended).into_iter().filter(|(_, status)| status == "failed").count();
    assert_eq!((failed, statuses(&ended).len()), (5, 6), "{:?}", statuses(&ended));
}

#[test]
fn a_failed_check_publishes_nothing_and_leaves_the_old_version_on_disk() {
    for cluster in EVERYWHERE {
        for form in [None, Some("--delta")] {
            let place = tempfile::tempdir().unwrap();
            let output = place.path().join("out/rows");
            fails_and_leaves(50, |orders| {
                let job = load(place.path(), orders, &output.display().to_string()).on(cluster);
                form.into_iter().fold(job, |job, form| job.arg(form))
            });
            let again = load(place.path(), &Orders::of(sound(1)), &output.display().to_string());
            let again = again.option("--mode", "append").on(cluster);
            let again = form.into_iter().fold(again, |job, form| job.arg(form)).run().ok();
            assert_eq!(again.stdout, "51 rows\n", "the old version is what is added to");
            assert!(!place.path().join("out/.kiln-stage").exists(), "{:?}", folder::tree(place.path()));
        }
    }
}

#[test]
fn a_failed_check_publishes_nothing_and_leaves_the_old_version_in_s3() {
    for cluster in EVERYWHERE {
        let (s3, place) = (S3::start(), tempfile::tempdir().unwrap());
        let output = format!("s3://{BUCKET}/out/rows");
        let job = |orders: &Orders| s3.tell(load(place.path(), orders, &output).on(cluster));
        fails_and_leaves(50, job);
        assert_eq!(s3.unpublished("out/rows"), [""; 0], "no file of the failed load is left");
        let again = job(&Orders::of(sound(1))).option("--mode", "append").run().ok();
        assert_eq!(again.stdout, "51 rows\n");
    }
}

#[test]
fn a_warning_is_published_and_named() {
    let place = tempfile::tempdir().unwrap();
    let output = place.path().join("rows").display().to_string();
    let job = load(place.path(), &Orders::of(broken()), &output).option("--on-fail", "warn");
    let ended =
        job.option("--check", "amount").option("--check", "not_null").env("KILN_LOG", "warn").run().ok();
    let warned = |name: &str| (name.to_owned(), "warned".to_owned());
    assert_eq!(statuses(&ended), [warned("amount >= 0 AND amount <= 1000"), warned("id IS NOT NULL")]);
    assert!(ended.stderr.contains("a check does not hold"), "{}", ended.stderr);
    assert_eq!(ended.stdout, "60 rows\n");
}

#[test]
fn a_check_that_fits_no_column_ends_the_load_before_a_row_is_read() {
    let place = tempfile::tempdir().unwrap();
    let output = place.path().join("rows").display().to_string();
    let orders = Orders { without: vec!["state".to_owned()], bad: vec![0], ..Orders::of(sound(3)) };
    let ended = load(place.path(), &orders, &output).option("--check", "state").run();
    ended.fails(78, "config", &["no column `state`", "id, day, amount"]);
}
