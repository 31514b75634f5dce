//! Folders by column: where rows are written, and which columns are rejected.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use arrow::array::AsArray;
use arrow::datatypes::UInt64Type;
use kiln::{Class, Cluster, Config, Context, job};

use super::{folder, names, table};

/// The column `n` of every folder with files, by path.
fn by_folder(output: &Path) -> BTreeMap<String, Vec<u64>> {
    let folders = folder::data(output).into_iter().filter(|path| output.join(path).is_file());
    let folders: BTreeSet<_> = folders.filter_map(|path| Some(path.parent()?.to_owned())).collect();
    let numbers = |path: &Path| {
        let batches = table::batches(&output.join(path)).into_iter();
        let mut numbers: Vec<u64> = batches
            .flat_map(|b| b.column_by_name("n").unwrap().as_primitive::<UInt64Type>().values().to_vec())
            .collect();
        numbers.sort_unstable();
        numbers
    };
    folders.iter().map(|path| (path.display().to_string(), numbers(path))).collect()
}

#[test]
fn every_row_lies_in_the_folder_of_its_values_without_those_columns() {
    let (place, cx) = (tempfile::tempdir().unwrap(), Context::local(2));
    let output = place.path().join("rows");
    let rows = cx.parallelize_in(3, (0..60u64).map(|n| (n % 2, n, n % 3 == 0)));
    let write = rows.write().names(["day", "n", "third"]).partition_by(["day", "third"]);
    write.parquet(&output.display().to_string()).unwrap();
    let expected = [(0, "false"), (0, "true"), (1, "false"), (1, "true")].map(|(day, third)| {
        let is_here = |n: &u64| n % 2 == day && n.is_multiple_of(3).to_string() == third;
        (format!("day={day}/third={third}"), (0..60).filter(is_here).collect::<Vec<u64>>())
    });
    assert_eq!(by_folder(&output), BTreeMap::from(expected));
    assert_eq!(table::columns(&output.join("day=0/third=true")), ["n"]);
}

#[test]
fn a_value_never_leads_out_of_the_output() {
    let (place, cx) = (tempfile::tempdir().unwrap(), Context::local(1));
    let output = place.path().join("deep/rows");
    let values = ["../../evil", "..", ".", "/etc/passwd", "a=b", "", "ä b"].map(|v| Some(v.to_owned()));
    let rows: Vec<(Option<String>, u64)> = values.into_iter().chain([None]).zip(0..).collect();
    let rows = cx.parallelize_in(1, rows);
    let write = rows.write().names(["v", "n"]).partition_by(["v"]);
    write.parquet(&output.display().to_string()).unwrap();
    let none = "__HIVE_DEFAULT_PARTITION__";
    let folders =
        ["..%2F..%2Fevil", "..", ".", "%2Fetc%2Fpasswd", "a%3Db", "ä b"].into_iter().zip([0, 1, 2, 3, 4, 6]);
    let mut expected: BTreeMap<String, Vec<u64>> =
        folders.map(|(value, n)| (format!("v={value}"), vec![n])).collect();
    expected.insert(format!("v={none}"), vec![5, 7]);
    assert_eq!(by_folder(&output), expected);
    assert_eq!(names(place.path()).iter().filter(|name| !name.starts_with("deep")).count(), 0);
}

#[test]
fn a_value_too_long_for_a_folder_is_a_data_error_that_names_its_column() {
    let (place, cx) = (tempfile::tempdir().unwrap(), Context::local(1));
    let rows = cx.parallelize_in(1, [("x".repeat(300), 1u64)]);
    let output = place.path().join("rows").display().to_string();
    let error = rows.write().names(["v", "n"]).partition_by(["v"]).parquet(&output).unwrap_err();
    assert!(error.class() == Class::Data && error.to_string().contains("column v"), "{error}");
    assert_eq!(names(place.path()), [""; 0]);
}

#[test]
fn more_folders_than_open_files_hold_every_row_once_and_the_same_everywhere() {
    let place = tempfile::tempdir().unwrap();
    let mut seen = BTreeSet::new();
    for (slots, batch_rows) in [(1, 8192), (2, 8192), (3, 100)] {
        let config = Config { batch_rows, ..Config::new(Cluster::Local { slots }) };
        let cx = Context::new(config, job::Run::new("folders", job::Progress::silent()));
        let output = place.path().join(format!("{slots}"));
        let rows = cx.parallelize_in(2, (0..4000u64).map(|n| (n * 7919 % 300, n)));
        let write = rows.write().names(["v", "n"]).partition_by(["v"]);
        write.parquet(&output.display().to_string()).unwrap();
        let mut expected: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        (0..4000).for_each(|n| expected.entry(format!("v={}", n * 7919 % 300)).or_default().push(n));
        assert_eq!(by_folder(&output), expected);
        let files = names(&output).into_iter().filter(|name| name.ends_with(".parquet"));
        seen.insert(
            files.map(|name| (name.clone(), std::fs::read(output.join(name)).unwrap())).collect::<Vec<_>>(),
        );
    }
    assert_eq!(seen.len(), 1, "the same files and bytes");
    assert!(seen.first().unwrap().iter().any(|(name, _)| name.contains("part-00000-1")), "a file gave way");
}

#[test]
fn rows_for_many_folders_fit_a_small_memory() {
    let place = tempfile::tempdir().unwrap();
    let config = Config { memory: 16 << 20, ..Config::new(Cluster::Local { slots: 4 }) };
    let cx = Context::new(config, job::Run::new("small", job::Progress::silent()));
    let output = place.path().join("rows");
    let rows = cx
        .parallelize_in(4, (0..40_000u64).map(|n| (n % 20, n)))
        .map(|(v, n)| (v, n, n.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
    let write = rows.write().names(["v", "n", "hash"]).partition_by(["v"]);
    write.parquet(&output.display().to_string()).unwrap();
    let mut expected: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    (0..40_000).for_each(|n| expected.entry(format!("v={}", n % 20)).or_default().push(n));
    assert_eq!(by_folder(&output), expected);
}
