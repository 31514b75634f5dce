//! Which files of a folder are read, and the columns that their folders add.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::{Duration, SystemTime};

use kiln::expr::{col, lit};
use kiln::{Class, Row};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::files::{Item, batch, cx, file, items, says, write_parquet};
use crate::generated::for_each;

#[derive(Row, Clone, Debug, PartialEq)]
struct Dated {
    id: i64,
    day: chrono::NaiveDate,
    city: Option<String>,
}

fn dated(id: i64, day: u32, city: Option<&str>) -> Dated {
    let day = chrono::NaiveDate::from_ymd_opt(2026, 11, day).unwrap();
    Dated { id, day, city: city.map(str::to_owned) }
}

fn partitioned() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, ids| write_parquet(&folder.path().join(name), &batch(&items(ids)), 10);
    write("day=2026-11-20/city=K%C3%B6ln%2FBonn/a.parquet", 1..3);
    write("day=2026-11-21/city=__HIVE_DEFAULT_PARTITION__/a.parquet", 3..4);
    fs::write(folder.path().join("_SUCCESS"), "").unwrap();
    folder
}

#[test]
fn hive_folders_are_columns() {
    let folder = partitioned();
    let rows = cx().read().hive_partitions().parquet::<Dated>(&folder.path().display().to_string());
    let city = Some("Köln/Bonn");
    assert_eq!(rows.collect().unwrap(), [dated(1, 20, city), dated(2, 20, city), dated(3, 21, None)]);
}

#[test]
fn hive_folders_are_columns_of_csv_and_json_too() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in
        [("csv/day=2026-11-20/a.csv", "id\n1\n"), ("json/day=2026-11-21/a.json", "{\"id\":2}")]
    {
        fs::create_dir_all(folder.path().join(name).parent().unwrap()).unwrap();
        fs::write(folder.path().join(name), text).unwrap();
    }
    let address = |name: &str| folder.path().join(name).display().to_string();
    let csv = cx().read().hive_partitions().csv::<Dated>(&address("csv")).collect().unwrap();
    assert_eq!(csv, [dated(1, 20, None)]);
    let json = cx().read().hive_partitions().json::<Dated>(&address("json")).collect().unwrap();
    assert_eq!(json, [dated(2, 21, None)]);
}

#[test]
fn a_filter_may_name_a_column_of_the_folders() {
    let folder = partitioned();
    let address = folder.path().display().to_string();
    let filter = col("day").gt(lit("2026-11-20"));
    let rows = cx().read().hive_partitions().filter(filter).parquet::<Dated>(&address).collect().unwrap();
    assert_eq!(rows, [dated(3, 21, None)]);
}

#[test]
fn a_folder_value_of_another_type_is_an_error_that_names_file_and_column() {
    let folder = tempfile::tempdir().unwrap();
    write_parquet(&folder.path().join("day=soon/a.parquet"), &batch(&items(0..1)), 10);
    let address = folder.path().display().to_string();
    let error = cx().read().hive_partitions().parquet::<Dated>(&address).collect().unwrap_err();
    says(error, &["`soon` is no Date32", "day=soon/a.parquet", "column day"]);
}

/// An output on disk and one in the memory of this process.
fn outputs() -> (tempfile::TempDir, [String; 2]) {
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().join("rows").display().to_string();
    let memory = format!("memory:///folders{disk}");
    (folder, [disk, memory])
}

type Cells = (String, i64, Option<String>);

/// Texts of characters that are special in names of folders.
fn cells() -> impl Strategy<Value = Vec<Cells>> {
    let text = ["_", ".", "=", "a", "#", "?", "%", "/", "ä", "*", "[", " ", "\n"];
    let text = vec(select(text.to_vec()), 1..5).prop_map(|parts| parts.concat());
    vec((text.clone(), 0..3i64, proptest::option::of(text)), 1..12)
}

#[test]
fn partitions_of_tuples_are_read_again_and_are_no_files_of_a_plain_read() {
    let columns =
        [&["_1"][..], &["_2"], &["_3"], &["_1", "_2"], &["_3", "_1"]].map(<[&str]>::to_vec).to_vec();
    for_each(40, (cells(), select(columns), 0..3), |(rows, columns, format)| {
        let (_folder, outputs) = outputs();
        for output in outputs {
            let (cx, mut rows) = (cx(), rows.clone());
            let (given, read) = (cx.parallelize_in(2, rows.clone()), cx.read().hive_partitions());
            let write = given.write().partition_by(columns.iter().copied());
            let (found, plain) = match format {
                0 => (
                    // Any read of its folder reads the whole table.
                    write.plain().parquet(&output).and_then(|()| read.parquet::<Cells>(&output).collect()),
                    cx.read_parquet::<Cells>(&output).count(),
                ),
                1 => (
                    write.csv(&output).and_then(|()| read.csv::<Cells>(&output).collect()),
                    cx.read_csv::<Cells>(&output).count(),
                ),
                _ => (
                    write.json(&output).and_then(|()| read.json::<Cells>(&output).collect()),
                    cx.read_json::<Cells>(&output).count(),
                ),
            };
            let mut found = found.unwrap();
            rows.sort();
            found.sort();
            assert_eq!(found, rows, "{output} by {columns:?}");
            refuses(plain);
        }
    });
}

/// A folder with files, none of which would be read.
#[track_caller]
fn refuses<T: std::fmt::Debug>(read: kiln::Result<T>) {
    let error = read.unwrap_err();
    assert_eq!(error.class(), Class::Config, "{error}");
    let text = error.to_string();
    assert!(text.contains("hive_partitions") && text.contains("/**"), "{text}");
}

#[test]
fn a_folder_of_folders_or_hidden_files_is_refused_by_every_source() {
    for name in ["day=1/a", "deep/a", "_a", ".a", "_tmp/a"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
        let (address, cx) = (folder.path().display().to_string(), cx());
        refuses(cx.read_text(&address).count());
        refuses(cx.read_csv::<Item>(&address).count());
        refuses(cx.read_json::<Item>(&address).count());
        refuses(cx.read_parquet::<Item>(&address).count());
        refuses(cx.read_arrow::<Item>(&address).count());
        refuses(cx.read_text_files(&address).count());
        refuses(cx.read_binary_files(&address).count());
        refuses(cx.read().ignore_missing().text(&address).count());
    }
}

#[test]
fn an_output_without_rows_is_read_as_one() {
    let (_folder, outputs) = outputs();
    for output in outputs {
        let cx = cx();
        let rows = cx.parallelize_in(2, Vec::<Cells>::new());
        rows.write().partition_by(["_1"]).parquet(&output).unwrap();
        assert_eq!(cx.read().hive_partitions().parquet::<Cells>(&output).count().unwrap(), 0);
        assert_eq!(cx.read_parquet::<Cells>(&output).count().unwrap(), 0);
    }
}

#[test]
fn rows_in_linked_folders_are_read_and_a_circle_of_links_ends() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    write_parquet(&path("elsewhere/a.parquet"), &batch(&items(1..3)), 10);
    write_parquet(&path("rows/day=2026-11-20/a.parquet"), &batch(&items(3..4)), 10);
    symlink("../elsewhere", path("rows/day=2026-11-21")).unwrap();
    symlink("../rows", path("elsewhere/back")).unwrap();
    let address = path("rows").display().to_string();
    let mut rows = cx().read().hive_partitions().parquet::<Dated>(&address).collect().unwrap();
    rows.sort_by_key(|row| row.id);
    assert_eq!(rows, [dated(1, 21, None), dated(2, 21, None), dated(3, 20, None)]);
}

#[test]
fn files_before_a_time_are_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let now = SystemTime::now();
    for (name, age) in [("old.csv", 3_600), ("new.csv", 0)] {
        fs::write(folder.path().join(name), format!("id,name\n{age},\n")).unwrap();
        let file = fs::File::options().write(true).open(folder.path().join(name)).unwrap();
        file.set_modified(now - Duration::from_secs(age)).unwrap();
    }
    let address = folder.path().display().to_string();
    let since = now - Duration::from_secs(60);
    let cx = cx();
    let rows = cx.read().modified_since(since).csv::<Item>(&address).collect().unwrap();
    assert_eq!((rows, skipped(&cx)), (vec![Item { id: 0, name: None }], 1));
    let lines = cx.read().modified_since(since).text(&address).collect().unwrap();
    assert_eq!((lines, skipped(&cx)), (vec!["id,name".to_owned(), "0,".to_owned()], 2));
}

#[test]
fn missing_files_are_an_error_unless_they_are_ignored() {
    let (folder, path, address) = file("a.csv", "id,name\n1,\n");
    let missing = folder.path().join("b.csv").display().to_string();
    assert_eq!(cx().read_csv::<Item>(&missing).count().unwrap_err().class(), Class::Config);
    let cx = cx();
    assert_eq!((cx.read().ignore_missing().csv::<Item>(&missing).count().unwrap(), skipped(&cx)), (0, 1));
    let (strict, lenient) = (cx.read_csv::<Item>(&address), cx.read().ignore_missing().csv::<Item>(&address));
    fs::remove_file(path).unwrap();
    assert_eq!(strict.count().unwrap_err().class(), Class::Config);
    assert_eq!((lenient.count().unwrap(), skipped(&cx)), (0, 2));
    fs::write(&missing, "").unwrap();
    let whole = cx.read().ignore_missing().binary_files(&missing);
    fs::remove_file(&missing).unwrap();
    assert_eq!((whole.count().unwrap(), skipped(&cx)), (0, 3));
    fs::write(&missing, "a line").unwrap();
    let (strict, lenient) = (cx.read_text(&missing), cx.read().ignore_missing().text(&missing));
    fs::remove_file(&missing).unwrap();
    assert_eq!(strict.count().unwrap_err().class(), Class::Config);
    assert_eq!((lenient.count().unwrap(), skipped(&cx)), (0, 4));
    assert_eq!((cx.read().ignore_missing().text(&missing).count().unwrap(), skipped(&cx)), (0, 5));
}

/// Number of files that the job has skipped.
fn skipped(cx: &kiln::Context) -> u64 {
    cx.counter("skipped files").value()
}

#[test]
fn whole_files_are_rows_also_when_they_are_empty() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a"), [0xff, 0]).unwrap();
    fs::write(folder.path().join("b"), "").unwrap();
    let address = folder.path().display().to_string();
    let files = cx().read_binary_files(&address).collect().unwrap();
    let contents: Vec<&[u8]> = files.iter().map(|(_, bytes)| bytes.as_ref()).collect();
    assert_eq!(contents, [&[0xff, 0][..], &[]]);
    let error = cx().read_text_files(&address).collect().unwrap_err();
    says(error, &["invalid UTF-8", "byte 0", &format!("{address}/a")]);
    fs::remove_file(folder.path().join("a")).unwrap();
    let texts = cx().read_text_files(&format!("{address}/*")).collect().unwrap();
    assert_eq!(texts, [(format!("{address}/b"), String::new())]);
}
