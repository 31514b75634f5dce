//! The form of an output: a Delta log for Parquet in an object store, plain files otherwise, and always
//! the form of an existing output.

use chrono::NaiveDateTime;
use kiln::{Class, Context, Error, Mode, Row};
use rustix::process::Signal;

use super::job::Job;
use super::s3::{BUCKET, S3, delta_log};
use super::{names, small};

#[derive(Row, Clone, Debug, PartialEq)]
struct Number {
    day: u64,
    n: u64,
}

#[derive(Row, Clone, Debug, PartialEq)]
struct Event {
    at: NaiveDateTime,
}

/// The columns in the files of a partition.
#[derive(Row, Clone)]
struct Only {
    n: u64,
}

fn fresh() -> String {
    format!("memory:///forms-{}/rows", uuid::Uuid::new_v4())
}

/// The keys below an output, without Kiln's records beside it.
fn keys(cx: &Context, output: &str) -> Vec<String> {
    let all = cx.read_binary_files(&format!("{output}/**")).collect().unwrap();
    all.into_iter().map(|(address, _)| address[output.len() + 1..].to_owned()).collect()
}

fn numbers(cx: &Context, from: u64) -> kiln::Dataset<Number> {
    cx.parallelize_in(2, (from..from + 6).map(|n| Number { day: n % 2, n }).collect::<Vec<_>>()).erase()
}

/// The numbers that Kiln reads, in order.
fn read(cx: &Context, output: &str) -> Vec<u64> {
    let mut read = cx.read_parquet::<Number>(output).map(|number| number.n).collect().unwrap();
    read.sort_unstable();
    read
}

fn has_log(cx: &Context, output: &str) -> bool {
    cx.read().delta::<Number>(output).count().is_ok()
}

fn reason(result: kiln::Result<()>) -> String {
    let error: Error = result.unwrap_err();
    assert_eq!(error.class(), Class::Config, "{error}");
    error.reason_word().to_owned()
}

#[test]
fn parquet_in_a_store_has_a_log_unless_plain_files_are_asked_for() {
    let cx = Context::local(2);
    for is_plain in [false, true] {
        let output = fresh();
        for round in 0..3 {
            let rows = numbers(&cx, 10 * round);
            let write = if is_plain { rows.write().plain() } else { rows.write() };
            write.mode(Mode::Overwrite).parquet(&output).unwrap();
        }
        assert_eq!(has_log(&cx, &output), !is_plain);
        assert_eq!(read(&cx, &output), (20..26).collect::<Vec<u64>>());
        // The files of older versions of a table are kept.
        assert_eq!(keys(&cx, &output).len(), if is_plain { 2 } else { 6 });
    }
    let place = tempfile::tempdir().unwrap();
    numbers(&cx, 0).write_parquet(&place.path().join("rows").display().to_string()).unwrap();
    assert!(!names(place.path()).iter().any(|name| name.contains("_delta_log")), "a rename does it on disk");
}

#[test]
fn other_formats_stay_plain_and_so_does_a_checkpoint_of_any_rows() {
    let (cx, output) = (Context::local(2), fresh());
    let [csv, json, text, rows] = ["csv", "json", "text", "rows"].map(|name| format!("{output}/{name}"));
    numbers(&cx, 0).write().csv(&csv).unwrap();
    numbers(&cx, 0).write().json(&json).unwrap();
    cx.range(0..9).map(|n| n.to_string()).write_text(&text).unwrap();
    let event = Event { at: NaiveDateTime::default() };
    assert_eq!(cx.parallelize([event.clone()]).checkpoint(&rows).unwrap().collect().unwrap(), [event]);
    assert!(!keys(&cx, &output).iter().any(|key| key.contains("_delta_log")));
}

#[test]
fn an_output_that_is_there_keeps_its_form_in_every_mode() {
    let cx = Context::local(2);
    let place = tempfile::tempdir().unwrap();
    for mode in [Mode::Overwrite, Mode::Append, Mode::ReplacePartitions] {
        for (output, is_plain) in [(fresh(), false), (fresh(), true)] {
            let write = |from| numbers(&cx, from);
            let first = write(0);
            let first = if is_plain { first.write().plain() } else { first.write() };
            first.partition_by(["day"]).parquet(&output).unwrap();
            write(10).write().partition_by(["day"]).mode(mode).parquet(&output).unwrap();
            assert_eq!(has_log(&cx, &output), !is_plain, "{mode:?}");
            let read = cx.read().hive_partitions().parquet::<Number>(&output).count().unwrap();
            assert_eq!(read, if mode == Mode::Append { 12 } else { 6 }, "{mode:?}");
        }
    }
    // The same on disk.
    let table = place.path().join("table").display().to_string();
    numbers(&cx, 0).write().delta(&table).unwrap();
    numbers(&cx, 10).write().mode(Mode::Overwrite).parquet(&table).unwrap();
    assert_eq!(cx.read().delta::<Number>(&table).count().unwrap(), 6);
    assert_eq!(cx.read().version(0).delta::<Number>(&table).count().unwrap(), 6);
}

#[test]
fn what_would_be_half_of_each_form_is_refused_and_changes_nothing() {
    let cx = Context::local(2);
    let place = tempfile::tempdir().unwrap();
    for table in [fresh(), place.path().join("rows").display().to_string()] {
        numbers(&cx, 0).write().delta(&table).unwrap();
        let rows = numbers(&cx, 10);
        for mode in [Mode::Overwrite, Mode::Append] {
            assert_eq!(reason(rows.write().plain().mode(mode).parquet(&table)), "other_form");
            assert_eq!(reason(rows.write().mode(mode).csv(&table)), "other_form");
        }
        assert_eq!(reason(rows.write().plain().parquet(&table)), "output_exists");
        rows.write().mode(Mode::Ignore).json(&table).unwrap();
        assert!(cx.job_run().facts().skipped.is_some());
        assert_eq!(read(&cx, &table), (0..6).collect::<Vec<u64>>());
    }
    let plain = fresh();
    numbers(&cx, 0).write().plain().parquet(&plain).unwrap();
    assert_eq!(reason(numbers(&cx, 10).write().mode(Mode::Append).delta(&plain)), "no_delta_table");
    assert_eq!(read(&cx, &plain), (0..6).collect::<Vec<u64>>());
    assert_eq!(reason(numbers(&cx, 0).write().plain().delta(&fresh())), "config");
}

#[test]
fn a_type_that_a_table_does_not_have_is_an_error_before_any_work_that_names_plain_files() {
    let (cx, output) = (Context::local(1), fresh());
    let events = cx
        .range(0..3)
        .map(|n| Event { at: chrono::DateTime::from_timestamp(n as i64, 0).unwrap_or_default().naive_utc() });
    let error = events.write_parquet(&output).unwrap_err();
    assert_eq!(error.class(), Class::Config);
    for words in ["without a zone", "column at", "and_utc", ".plain()"] {
        assert!(error.to_string().contains(words), "{words}: {error}");
    }
    assert!(cx.read_binary_files(&format!("{}/**", output.trim_end_matches("/rows"))).collect().is_err());
    events.write().plain().parquet(&output).unwrap();
    assert_eq!(cx.read_parquet::<Event>(&output).count().unwrap(), 3);
    // If a table is requested, the error does not suggest plain files.
    let error = events.write().delta(&fresh()).unwrap_err();
    assert!(!error.to_string().contains("plain"), "{error}");
}

#[test]
fn a_partition_of_a_table_and_a_pattern_give_live_files_only() {
    let place = tempfile::tempdir().unwrap();
    let cx = Context::local(2);
    for output in [fresh(), place.path().join("rows").display().to_string()] {
        for from in [0, 10, 20] {
            let rows = numbers(&cx, from);
            rows.write().partition_by(["day"]).mode(Mode::Overwrite).delta(&output).unwrap();
        }
        let read = |address: &str| {
            let read = cx.read_parquet::<Only>(address).map(|row| row.n);
            let mut read = read.collect().unwrap();
            read.sort_unstable();
            read
        };
        assert_eq!(read(&format!("{output}/day=1/")), [21, 23, 25]);
        assert_eq!(read(&format!("{output}/*/*.parquet")), (20..26).collect::<Vec<u64>>());
    }
}

fn publish(s3: &S3, offset: u64) -> Job {
    let job = small("local[2]").option("--offset", offset.to_string());
    s3.tell(job.option("--output", format!("s3://{BUCKET}/out/rows")))
}

#[test]
fn files_of_an_attempt_that_was_killed_are_no_plain_output() {
    for step in ["claimed", "commit.ready"] {
        let s3 = S3::start();
        let killed = publish(&s3, 0).env("KILN_FAILPOINT", format!("{step}=kill")).run();
        assert_eq!(killed.killed_by(), Some(9));
        let left = s3.keys("out/rows/").len();
        assert_eq!(left, if step == "claimed" { 0 } else { 6 });
        publish(&s3, 1000).run().ok();
        assert_eq!(delta_log::live(&s3.bucket().join("out/rows")).unwrap().len(), 6, "{step}");
        // The same for plain files.
        let s3 = S3::start();
        publish(&s3, 0).env("KILN_FAILPOINT", format!("{step}=kill")).run();
        publish(&s3, 1000).arg("--plain").run().ok();
        assert_eq!(s3.manifest("out/rows").len(), 6, "{step}");
    }
}

#[test]
fn of_a_table_and_plain_files_that_are_published_at_once_the_first_wins() {
    for (first, second, reason) in [("", "--plain", "other_form"), ("--plain", "", "no_delta_table")] {
        let s3 = S3::start();
        let job = |form: &str, offset| {
            let job = publish(&s3, offset).option("--mode", "append");
            if form.is_empty() { job } else { job.arg(form) }
        };
        let late = job(second, 0).env("KILN_FAILPOINT", "commit.ready=stop").start();
        late.wait_until_stopped();
        job(first, 1000).run().ok();
        late.signal(Signal::CONT);
        let late = late.wait();
        late.exits(78);
        assert_eq!(late.json()["reason"], reason);
        assert_eq!(s3.published("out/rows").len(), 6);
        assert_eq!(s3.unpublished("out/rows"), [""; 0]);
        assert_eq!(delta_log::live(&s3.bucket().join("out/rows")).is_some(), first.is_empty());
    }
}

/// The location of a test's outputs.
enum Store {
    Disk(tempfile::TempDir),
    S3(S3),
}

impl Store {
    fn all() -> [Store; 2] {
        [Store::Disk(tempfile::tempdir().unwrap()), Store::S3(S3::start())]
    }

    /// A job that appends rows in the given form.
    fn append(&self, form: &str, offset: u64) -> Job {
        let job =
            small("local[2]").option("--offset", offset.to_string()).option("--mode", "append").arg(form);
        match self {
            Store::Disk(place) => job.option("--output", place.path().join("rows")),
            Store::S3(s3) => s3.tell(job.option("--output", format!("s3://{BUCKET}/rows"))),
        }
    }

    fn root(&self) -> std::path::PathBuf {
        match self {
            Store::Disk(place) => place.path().join("rows"),
            Store::S3(s3) => s3.bucket().join("rows"),
        }
    }

    /// The number of files in the manifest of plain files, and in the log of a table.
    fn files(&self) -> (Option<usize>, Option<usize>) {
        let manifest = std::fs::read(self.root().join("_SUCCESS")).ok();
        let manifest = manifest.map(|json| serde_json::from_slice::<serde_json::Value>(&json).unwrap());
        let named = manifest.map(|manifest| manifest["files"].as_array().unwrap().len());
        (named, delta_log::live(&self.root()).map(|files| files.len()))
    }
}

#[test]
fn a_table_that_begins_while_plain_files_are_published_is_refused_and_they_stay() {
    for store in Store::all() {
        let table = store.append("--delta", 0).env("KILN_FAILPOINT", "begun=stop").start();
        table.wait_until_stopped();
        store.append("--plain", 1000).run().ok();
        table.signal(Signal::CONT);
        let table = table.wait();
        table.exits(78);
        assert_eq!(table.json()["reason"], "no_delta_table");
        assert_eq!(store.files(), (Some(6), None));
    }
}

#[test]
fn a_table_does_not_make_a_run_forget_that_its_plain_files_are_published() {
    let store = Store::S3(S3::start());
    let append = || store.append("--plain", 0).env("KILN_RUN_ID", "nightly");
    let killed = append().env("KILN_FAILPOINT", "commit.published=kill").run();
    assert_eq!(killed.killed_by(), Some(9));
    assert_eq!(store.files(), (None, None), "killed before its manifest");
    let table = store.append("--delta", 1000).run();
    table.exits(78);
    assert_eq!(table.json()["reason"], "no_delta_table");
    append().run().ok();
    assert_eq!(store.files(), (Some(6), None), "the rows are there once");
}

#[test]
fn the_first_version_of_an_attempt_that_was_killed_is_put_before_plain_files_are_refused() {
    for store in Store::all() {
        let killed = store.append("--delta", 0).env("KILN_FAILPOINT", "commit.decided=kill").run();
        assert_eq!(killed.killed_by(), Some(9));
        assert_eq!(store.files(), (None, None), "decided, and not put");
        let plain = store.append("--plain", 1000).run();
        plain.exits(78);
        assert_eq!(plain.json()["reason"], "other_form");
        assert_eq!(store.files(), (None, Some(6)));
    }
}
