//! Inputs are snapshots: a job reads the version of each file that it has listed, or fails.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arrow::array::{ArrayRef, RecordBatch, StringArray, UInt64Array};
use kiln::Class;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;

use super::job::EVERYWHERE;
use super::s3::S3;
use super::{printed, reading, reading_key};

/// Numbered lines of a hundred bytes that do not compress well.
pub(crate) fn table(rows: std::ops::Range<u64>) -> RecordBatch {
    let text = |n: u64| {
        let mut seed = n.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let letter = |_| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            char::from(b'#' + (seed >> 57) as u8 % 90)
        };
        (0..100).map(letter).collect::<String>()
    };
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values(rows.clone().map(text)));
    RecordBatch::try_from_iter([
        ("n", Arc::new(UInt64Array::from_iter_values(rows)) as ArrayRef),
        ("text", texts),
    ])
    .unwrap()
}

pub(crate) fn parquet(rows: std::ops::Range<u64>, group_rows: usize) -> Vec<u8> {
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(group_rows))
        .set_dictionary_enabled(false)
        .build();
    let (table, mut bytes) = (table(rows), Vec::new());
    let mut writer = ArrowWriter::try_new(&mut bytes, table.schema(), Some(properties)).unwrap();
    writer.write(&table).unwrap();
    writer.close().unwrap();
    bytes
}

/// `count` equally long lines of CSV, without the header.
fn lines(word: &str, count: usize) -> String {
    (0..count).map(|n| format!("{n:08},{word}\n")).collect()
}

/// Two contents of the same length for each format.
fn contents() -> [(&'static str, Vec<u8>, Vec<u8>); 4] {
    let text = |word| lines(word, 400_000).into_bytes();
    let csv = |word| [b"n,text\n".to_vec(), text(word)].concat();
    let json = |word| {
        let line = |n| format!("{{\"n\": {n:>8}, \"text\": \"{word}\"}}\n");
        (0..200_000).map(line).collect::<String>().into_bytes()
    };
    [
        ("text", text("old"), text("new")),
        ("csv", csv("old"), csv("new")),
        ("json", json("old"), json("new")),
        ("parquet", parquet(0..100_000, 20_000), parquet(100_000..200_000, 20_000)),
    ]
}

#[test]
fn an_object_that_is_replaced_between_two_requests_is_an_error_and_never_a_mix() {
    for (format, old, new) in contents() {
        for cluster in EVERYWHERE {
            let s3 = S3::start();
            for key in ["in/", "in/a"] {
                s3.requests();
                s3.put_bytes("in/a", &old);
                s3.replace_after("in/a", 1, new.clone());
                let ended = reading_key(&s3, cluster, format, key).run();
                ended.fails(65, "data", &["was replaced while it was read", "in/a", "run the job again"]);
                assert_eq!(printed(&ended, "reason"), "input_changed", "{format} {cluster} {}", ended.stderr);
            }
            // For a single key the job requests the ETag; the server's lists contain none.
            let read: Vec<_> = s3.requests().into_iter().filter(|request| request.range.is_some()).collect();
            assert!(read.len() > 1 && read.iter().all(|request| request.if_match.is_some()), "{read:?}");
        }
    }
}

#[test]
fn an_object_that_is_replaced_after_it_was_listed_is_an_error() {
    let s3 = S3::start();
    s3.put("in/a", "one\ntwo\n");
    let held = s3.hold_get("in/a");
    let job = reading_key(&s3, "local[1]", "text", "in/a").start();
    held.wait();
    s3.put("in/a", "six\nten\n");
    s3.let_go();
    let ended = job.wait();
    ended.fails(65, "data", &["was replaced while it was read"]);
}

#[test]
fn a_local_file_that_is_replaced_or_rewritten_after_it_was_listed_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let (path, other) = (folder.path().join("a"), folder.path().join("other"));
    for (format, old, new) in contents() {
        for is_renamed in [true, false] {
            std::fs::write(&path, &old).unwrap();
            let (cx, input) = (kiln::Context::local(2), path.display().to_string());
            // Listed now, read by the action.
            let count: Box<dyn Fn() -> kiln::Result<u64>> = match format {
                "parquet" => Box::new({
                    let rows = cx.read_parquet::<(u64, String)>(&input);
                    move || rows.count()
                }),
                "csv" => Box::new({
                    let rows = cx.read_csv::<(u64, String)>(&input);
                    move || rows.count()
                }),
                "json" => Box::new({
                    let rows = cx.read_json::<(Option<u64>, Option<String>)>(&input);
                    move || rows.count()
                }),
                _ => Box::new({
                    let rows = cx.read_text(&input);
                    move || rows.count()
                }),
            };
            assert!(count().unwrap() > 0);
            // Waits for the next tick of the clock for file times.
            std::thread::sleep(Duration::from_millis(20));
            std::fs::write(if is_renamed { &other } else { &path }, &new).unwrap();
            if is_renamed {
                std::fs::rename(&other, &path).unwrap();
            }
            let error = count().unwrap_err();
            assert_eq!(
                (error.class(), error.reason_word()),
                (Class::Data, "input_changed"),
                "{format}: {error}"
            );
            assert!(error.to_string().contains(&input), "{error}");
        }
    }
}

/// A file that a task replaces after it has read a part of it.
static REPLACED: OnceLock<PathBuf> = OnceLock::new();

#[test]
fn a_local_file_that_is_rewritten_between_two_reads_of_a_task_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = REPLACED.get_or_init(|| folder.path().join("a.txt"));
    std::fs::write(path, lines("old", 100_000)).unwrap();
    let cx = kiln::Context::local(1);
    let words = cx.read_text(&path.display().to_string()).map_to::<u64>(|line| {
        if line.starts_with("00000100") {
            std::thread::sleep(Duration::from_millis(20));
            std::fs::write(REPLACED.get().unwrap(), lines("new", 100_000)).unwrap();
        }
        u64::from(line.ends_with("new"))
    });
    let error = words.sum().unwrap_err();
    assert_eq!((error.class(), error.reason_word()), (Class::Data, "input_changed"), "{error}");
}

#[test]
fn a_local_file_that_is_appended_to_is_read_as_it_was_listed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.log");
    std::fs::write(&path, "one\ntwo\n").unwrap();
    let lines = kiln::Context::local(1).read_text(&path.display().to_string());
    std::fs::write(&path, "one\ntwo\nthree\n").unwrap();
    assert_eq!(lines.collect().unwrap(), ["one", "two"]);
}

#[test]
fn the_result_names_what_was_read() {
    let (s3, folder) = (S3::start(), tempfile::tempdir().unwrap());
    let read = || {
        let ended = reading_key(&s3, "local[1]", "text", "in/").run().ok();
        assert_eq!(printed(&ended, "rows"), "3 9");
        printed(&ended, "input")
    };
    s3.put("in/a", "one\ntwo\n");
    s3.put("in/b", "six\n");
    let first = read();
    assert!(first.starts_with("s3://bucket/in/ 2 12 "), "{first}");
    assert_eq!(read(), first);
    std::thread::sleep(std::time::Duration::from_millis(1100));
    s3.put("in/b", "ten\n");
    assert_ne!(read(), first);
    std::fs::write(folder.path().join("a.txt"), "one\n").unwrap();
    let local =
        || printed(&reading("local[1]", "text", &folder.path().display().to_string()).run().ok(), "input");
    let first = local();
    assert_eq!((local(), first.split(' ').nth(1)), (first.clone(), Some("1")));
}
