//! Commits by several drivers to one table in memory, also through a store that loses requests and replies.

mod faults;
mod random;

use std::collections::BTreeMap;

use arrow::datatypes::{DataType, Field};

use super::*;
use crate::error::Class;
use crate::publish::delta::log::{AsOf, Log, name_of};
use crate::source::{Location, Store};

/// A place for a table in memory that no other test has.
fn place() -> Log {
    let location = Location::exact(&format!("memory:///delta-commit/{}/t", uuid::Uuid::new_v4())).unwrap();
    Log::at(&location)
}

fn open(log: &Log) -> DeltaTable {
    let location =
        Location { store: log.store.clone(), path: log.root.clone(), pattern: None, is_folder: false };
    DeltaTable::open(&location).unwrap()
}

fn claim(run: &str, attempt: u32, epoch: u64) -> Claim {
    let run_id = (!run.is_empty()).then(|| run.to_owned());
    Claim { run_id, sequence: 0, attempt, epoch, publish: uuid::Uuid::new_v4().to_string() }
}

fn columns() -> Schema {
    Schema::new(vec![Field::new("n", DataType::UInt64, false), Field::new("day", DataType::Int32, true)])
}

fn part(name: &str) -> OutputFile {
    OutputFile { staged: name.to_owned(), name: name.to_owned(), rows: 5, bytes: 100 }
}

/// Publishes files, each with the name of a day and its own: `1/a`.
fn publish(
    table: &mut DeltaTable,
    claim: &Claim,
    mode: Mode,
    files: &[&str],
    expected: &[&str],
) -> Result<Committed> {
    publish_of(table, claim, mode, &columns(), files, expected)
}

fn publish_of(
    table: &mut DeltaTable,
    claim: &Claim,
    mode: Mode,
    schema: &Schema,
    files: &[&str],
    expected: &[&str],
) -> Result<Committed> {
    let files: Vec<OutputFile> = files.iter().map(|file| part(&format!("day={file}.parquet"))).collect();
    let expected: Vec<String> = expected.iter().map(|day| format!("day={day}")).collect();
    let output = Output { rows: claim.epoch, ..Output::default() };
    let (partition_by, counters) = (&["day".to_owned()], BTreeMap::new());
    let publish = Publish {
        claim,
        mode,
        schema,
        partition_by,
        evolves: false,
        files: &files,
        expected: &expected,
        output,
        counters,
    };
    table.commit(&publish, &Cancel::default(), &Alone)
}

/// The coordinator of publishes of which no other attempt knows.
struct Alone;

impl Coordinator for Alone {
    fn allow(&self, _: u64, _: &Bytes) -> Result<bool> {
        Ok(true)
    }

    fn retract(&self) -> Result<bool> {
        Ok(true)
    }
}

fn files(log: &Log) -> Vec<String> {
    let snapshot = log.load(AsOf::Latest).unwrap();
    let names = snapshot.into_iter().flat_map(|snapshot| snapshot.files.into_keys());
    names.map(|path| path.replace("day=", "").replace(".parquet", "")).collect()
}

fn reason<T: std::fmt::Debug>(result: Result<T>) -> String {
    result.unwrap_err().reason_word().to_owned()
}

/// A commit of another writer.
fn foreign(log: &Log, version: u64, lines: &str) {
    let created = put::create(&log.store, &log.key(&name_of(version)).unwrap(), lines.to_owned().into());
    assert!(matches!(created, Created::Yes));
}

fn foreign_add(day: u32, is_change: bool) -> String {
    format!(
        r#"{{"add":{{"path":"day={day}/foreign.parquet","partitionValues":{{"day":"{day}"}},"size":1,"modificationTime":2,"dataChange":{is_change}}}}}"#
    )
}

#[test]
fn each_mode_does_what_it_is_for() {
    let log = place();
    let mut table = open(&log);
    let write = |table: &mut DeltaTable, epoch, mode, files: &[&str], expected: &[&str]| {
        publish(table, &claim("", 1, epoch), mode, files, expected)
    };
    assert_eq!(write(&mut table, 1, Mode::Error, &["1/a", "2/a"], &[]).unwrap(), Committed::Version(0));
    assert_eq!(reason(write(&mut open(&log), 2, Mode::Error, &["1/b"], &[])), "output_exists");
    write(&mut table, 3, Mode::Append, &["1/c"], &[]).unwrap();
    assert_eq!(files(&log), ["1/a", "1/c", "2/a"]);
    write(&mut table, 4, Mode::ReplacePartitions, &["1/d"], &["3"]).unwrap();
    assert_eq!(files(&log), ["1/d", "2/a"]);
    write(&mut table, 5, Mode::ReplacePartitions, &[], &["2"]).unwrap();
    assert_eq!(files(&log), ["1/d"]);
    assert_eq!(write(&mut table, 6, Mode::Overwrite, &["9/e"], &[]).unwrap(), Committed::Version(4));
    assert_eq!(files(&log), ["9/e"]);
    let snapshot = log.load(AsOf::Latest).unwrap().unwrap();
    assert_eq!(snapshot.files.values().next().unwrap().partition_value("day"), Some("9"));
    assert_eq!(snapshot.schema().unwrap().field(0).data_type(), &DataType::Int64);
}

#[test]
fn rows_of_other_columns_join_only_by_an_overwrite() {
    let log = place();
    let mut table = open(&log);
    publish(&mut table, &claim("", 1, 1), Mode::Error, &["1/a"], &[]).unwrap();
    let other =
        Schema::new(vec![Field::new("n", DataType::Utf8, false), Field::new("day", DataType::Int32, true)]);
    for mode in [Mode::Append, Mode::ReplacePartitions] {
        let refused = publish_of(&mut table, &claim("", 1, 2), mode, &other, &["1/b"], &[]);
        assert_eq!(reason(refused), "schema_mismatch");
    }
    publish_of(&mut table, &claim("", 1, 3), Mode::Overwrite, &other, &["1/c"], &[]).unwrap();
    let snapshot = log.load(AsOf::Latest).unwrap().unwrap();
    assert_eq!(snapshot.schema().unwrap().field(0).data_type(), &DataType::Utf8);
}

#[test]
fn every_tenth_version_has_a_checkpoint_and_the_log_goes_on_from_it() {
    let log = place();
    let mut table = open(&log);
    for epoch in 1..=25 {
        publish(
            &mut table,
            &claim("run", 1, epoch).with_sequence(epoch),
            Mode::Append,
            &[&format!("1/{epoch:02}")],
            &[],
        )
        .unwrap();
    }
    for (version, is_there) in [(10, true), (20, true), (5, false)] {
        let key = log.key(&super::super::log::checkpoint_of(version)).unwrap();
        assert_eq!(put::read(&log.store, &key).unwrap().is_some(), is_there, "{version}");
    }
    assert_eq!((files(&log).len(), open(&log).version()), (25, Some(24)));
}

impl Claim {
    fn with_sequence(self, sequence: u64) -> Claim {
        Claim { sequence: sequence as u32, ..self }
    }
}

#[test]
fn a_newer_attempt_fences_an_older_one_in_every_mode() {
    for mode in [Mode::Append, Mode::Overwrite, Mode::ReplacePartitions] {
        for newer_is_done in [false, true] {
            let log = place();
            publish(&mut open(&log), &claim("", 1, 1), Mode::Error, &["1/a"], &[]).unwrap();
            let (old, mut old_table) = (claim("nightly", 1, 2), open(&log));
            let (new, mut new_table) = (claim("nightly", 2, 3), open(&log));
            new_table.claim(&new, &Cancel::default()).unwrap();
            if newer_is_done {
                publish(&mut new_table, &new, mode, &["1/new"], &[]).unwrap();
            }
            assert_eq!(reason(publish(&mut old_table, &old, mode, &["1/old"], &[])), "newer_attempt");
            assert_eq!(reason(old_table.claim(&old, &Cancel::default())), "newer_attempt");
            if !newer_is_done {
                publish(&mut new_table, &new, mode, &["1/new"], &[]).unwrap();
            }
            assert!(files(&log).contains(&"1/new".to_owned()) && !files(&log).contains(&"1/old".to_owned()));
        }
    }
}

#[test]
fn an_older_attempt_that_has_published_is_found_and_nothing_is_published_twice() {
    let log = place();
    let (old, new) = (claim("nightly", 1, 1), claim("nightly", 2, 2));
    // Both began when there was no table, so that the log could not keep the older one out.
    let (mut old_table, mut new_table) = (open(&log), open(&log));
    new_table.claim(&new, &Cancel::default()).unwrap();
    publish(&mut old_table, &old, Mode::Append, &["1/old"], &[]).unwrap();
    for ended in [
        publish(&mut new_table, &new, Mode::Append, &["1/new"], &[]).unwrap(),
        open(&log).claim(&new, &Cancel::default()).unwrap(),
    ] {
        let Committed::Already(published) = ended else { panic!("{ended:?}") };
        assert_eq!((published.version, published.claim, published.output.rows), (0, old.clone(), 1));
    }
    assert_eq!(files(&log), ["1/old"]);
    assert_eq!(open(&log).published(&new).unwrap().map(|published| published.claim), Some(old));
}

#[test]
fn a_later_run_is_never_replaced_by_an_earlier_one() {
    for (later, earlier, is_refused) in [
        ((Mode::Overwrite, &["1/l"][..], &[][..]), (Mode::Overwrite, &["1/e"][..], &[][..]), true),
        ((Mode::Append, &["1/l"], &[]), (Mode::Overwrite, &["2/e"], &[]), true),
        ((Mode::Append, &["1/l"], &[]), (Mode::ReplacePartitions, &["1/e"], &[]), true),
        ((Mode::ReplacePartitions, &[], &["1"]), (Mode::ReplacePartitions, &["1/e"], &[]), true),
        ((Mode::ReplacePartitions, &["1/l"], &[]), (Mode::ReplacePartitions, &["2/e"], &[]), false),
        ((Mode::Overwrite, &["1/l"], &[]), (Mode::Append, &["1/e"], &[]), false),
    ] {
        let log = place();
        publish(&mut open(&log), &claim("", 1, 1), Mode::Error, &["1/a", "2/a"], &[]).unwrap();
        let (mut earlier_table, mut later_table) = (open(&log), open(&log));
        publish(&mut later_table, &claim("later", 1, 3), later.0, later.1, later.2).unwrap();
        let before = files(&log);
        let ended = publish(&mut earlier_table, &claim("earlier", 1, 2), earlier.0, earlier.1, earlier.2);
        assert_eq!(ended.is_err(), is_refused, "{later:?} {earlier:?}");
        if is_refused {
            assert_eq!((reason(ended).as_str(), files(&log)), ("newer_run_published", before));
        }
    }
}

#[test]
fn rows_of_other_writers_that_came_meanwhile_are_not_replaced_and_rearranged_files_are_no_rows() {
    let scripts: [(u32, bool, &[&str], bool); 4] = [
        (1, true, &["1/n"], true),
        (2, true, &["1/n"], false),
        (1, false, &["1/n"], false),
        (2, true, &[], false),
    ];
    for (day, is_change, files_of_ours, is_refused) in scripts {
        let log = place();
        publish(&mut open(&log), &claim("", 1, 1), Mode::Error, &["1/a", "2/a"], &[]).unwrap();
        let mut table = open(&log);
        foreign(&log, 1, &foreign_add(day, is_change));
        let ended = publish(&mut table, &claim("", 1, 2), Mode::ReplacePartitions, files_of_ours, &["1"]);
        assert_eq!(ended.is_err(), is_refused, "{day} {is_change}");
    }
    // What was there before the job began is replaced, whoever wrote it.
    let log = place();
    publish(&mut open(&log), &claim("", 1, 1), Mode::Error, &["1/a"], &[]).unwrap();
    foreign(&log, 1, &foreign_add(1, true));
    publish(&mut open(&log), &claim("", 1, 2), Mode::Overwrite, &["1/n"], &[]).unwrap();
    assert_eq!(files(&log), ["1/n"]);
}

#[test]
fn a_cancel_before_the_put_stops_and_nothing_is_published() {
    let log = place();
    let cancel = Cancel::default();
    cancel.request(crate::job::CancelReason::Terminate);
    let (claim, schema) = (claim("", 1, 1), columns());
    let publish = Publish {
        evolves: false,
        claim: &claim,
        mode: Mode::Error,
        schema: &schema,
        partition_by: &[],
        files: &[part("a.parquet")],
        expected: &[],
        output: Output::default(),
        counters: BTreeMap::new(),
    };
    assert_eq!(open(&log).commit(&publish, &cancel, &Alone).unwrap_err().class(), Class::Cancelled);
    assert!(log.load(AsOf::Latest).unwrap().is_none());
}

#[test]
fn a_folder_of_files_without_a_log_is_no_place_for_a_table() {
    let log = place();
    let key = log.below("_SUCCESS").unwrap();
    assert!(matches!(put::create(&log.store, &key, "{}".into()), Created::Yes));
    let location =
        Location { store: log.store.clone(), path: log.root.clone(), pattern: None, is_folder: false };
    assert_eq!(reason(DeltaTable::open(&location)), "no_delta_table");
}

/// The table at the place of `log` in another store.
fn through(store: Store, log: &Log) -> Log {
    Log { store, root: log.root.clone() }
}
