//! File sources give the same rows in the same order in every cluster.

use std::fs;

use kiln::expr::{col, lit};

use crate::random::Random;
use crate::support::{check_ordered, for_each_seed};

#[test]
fn files_of_every_format_give_their_rows_in_order() {
    for_each_seed(|seed| {
        let folder = tempfile::tempdir().unwrap();
        let rows =
            Random::new(seed).rows(300, |r| (r.next(), Some(r.string()).filter(|text| !text.is_empty())));
        let (mut csv, mut json) = ("n,text\n".to_owned(), String::new());
        for (n, text) in &rows {
            csv += &format!("{n},{}\n", text.as_deref().unwrap_or(""));
            json += &format!("{{\"_1\":{n},\"_2\":{}}}\n", serde_json::to_string(text).unwrap());
        }
        fs::write(folder.path().join("a.csv"), csv).unwrap();
        fs::write(folder.path().join("a.json"), json).unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        check_ordered(&rows, |s| s.cx().read_csv::<(u64, Option<String>)>(&path("a.csv")).collect());
        check_ordered(&rows, |s| s.cx().read_json::<(u64, Option<String>)>(&path("a.json")).collect());
    });
}

#[test]
fn a_filter_travels_to_the_executors() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("numbers").display().to_string();
    kiln::Context::local(1).range(0..100).write_parquet(&path).unwrap();
    let filter = col("value").lt(lit(3)).or(col("value").eq(lit(70)));
    check_ordered(&[0u64, 1, 2, 70], |s| {
        s.cx().read().filter(filter.clone()).parquet::<u64>(&path).collect()
    });
}

#[test]
fn whole_files_are_read_wherever_the_job_runs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.txt").display().to_string();
    fs::write(&path, "one\ntwo").unwrap();
    check_ordered(&[(path.clone(), "one\ntwo".to_owned())], |s| s.cx().read_text_files(&path).collect());
}
