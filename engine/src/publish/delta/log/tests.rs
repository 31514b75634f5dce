use std::collections::BTreeSet;

use super::*;
use crate::error::Class;
use crate::publish::delta::checkpoint;

const SCHEMA: &str =
    r#"{"type":"struct","fields":[{"name":"n","type":"long","nullable":true,"metadata":{}}]}"#;

/// A log in memory, at a place of its own.
fn log_at(name: &str) -> Log {
    let log = Log::at(&Location::exact(&format!("memory:///delta-log/{name}")).unwrap());
    assert!(!log.exists().unwrap(), "two tests use the place {name}");
    log
}

fn put_text(log: &Log, name: &str, text: &str) {
    let key = log.key(name).unwrap();
    log.store.wait(log.store.objects().put(&key, text.to_owned().into())).unwrap();
}

fn put_version(log: &Log, version: u64, lines: &[String]) {
    put_text(log, &name_of(version), &lines.join("\n"));
}

fn table() -> Vec<String> {
    let schema = serde_json::to_string(SCHEMA).unwrap();
    vec![
        r#"{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}"#.to_owned(),
        format!(
            r#"{{"metaData":{{"id":"x","format":{{"provider":"parquet","options":{{}}}},"schemaString":{schema},"partitionColumns":["k"],"configuration":{{}}}}}}"#
        ),
    ]
}

fn added(path: &str) -> String {
    format!(
        r#"{{"add":{{"path":"{path}","partitionValues":{{"k":null}},"size":1,"modificationTime":2,"dataChange":true,"stats":"{{\"numRecords\":3}}","tags":{{"kiln.epoch":"4"}}}}}}"#
    )
}

fn removed(path: &str, time: i64) -> String {
    format!(r#"{{"remove":{{"path":"{path}","deletionTimestamp":{time},"dataChange":true}}}}"#)
}

/// Version 0 adds `f0`; each later version replaces the file of the one before.
fn put_versions(log: &Log, last: u64) {
    for version in 0..=last {
        let mut lines = if version == 0 { table() } else { vec![removed(&format!("f{}", version - 1), 7)] };
        lines.push(added(&format!("f{version}")));
        lines.push(format!(r#"{{"txn":{{"appId":"app","version":{version}}}}}"#));
        lines.push(format!(r#"{{"commitInfo":{{"timestamp":{}}}}}"#, 1000 * version));
        put_version(log, version, &lines);
    }
}

fn files(log: &Log, as_of: AsOf) -> Vec<String> {
    log.load(as_of).unwrap().unwrap().files.into_keys().collect()
}

fn error_of(log: &Log, as_of: AsOf) -> Error {
    log.load(as_of).unwrap_err()
}

#[test]
fn names_are_versions_and_classic_checkpoints_and_nothing_else() {
    assert_eq!(Name::of("00000000000000000012.json"), Some(Name::Version(12)));
    let of = |name: &str| Name::of(&format!("00000000000000000012.{name}"));
    assert_eq!(of("checkpoint.parquet"), Some(Name::Checkpoint { version: 12, part: 1, parts: 1 }));
    let part = of("checkpoint.0000000002.0000000003.parquet");
    assert_eq!(part, Some(Name::Checkpoint { version: 12, part: 2, parts: 3 }));
    for other in [
        "checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.json",
        "crc",
        "json.tmp",
        "00000000000000000020.compacted.json",
    ] {
        assert_eq!(of(other), None, "{other}");
    }
    assert_eq!((Name::of("_last_checkpoint"), Name::of("12.json"), Name::of("Zürich")), (None, None, None));
}

#[test]
fn versions_are_replayed_and_earlier_ones_can_be_read() {
    let log = log_at("replayed");
    assert!(log.load(AsOf::Latest).unwrap().is_none());
    put_versions(&log, 3);
    let snapshot = log.load(AsOf::Latest).unwrap().unwrap();
    assert_eq!((snapshot.version, snapshot.txns["app"].version), (3, 3));
    assert_eq!(snapshot.removes.len(), 3);
    assert_eq!(files(&log, AsOf::Version(1)), ["f1"]);
    let at = |millis| AsOf::Time(DateTime::from_timestamp_millis(millis).unwrap());
    assert_eq!(
        (files(&log, at(2500)), files(&log, at(2000))),
        (vec!["f2".to_owned()], vec!["f2".to_owned()])
    );
    assert_eq!(files(&log, at(i64::from(i32::MAX))), ["f3"]);
    for error in [error_of(&log, AsOf::Version(9)), error_of(&log, at(-1))] {
        assert_eq!((error.class(), error.reason_word()), (Class::Config, "no_such_version"));
    }
}

#[test]
fn a_checkpoint_holds_what_the_versions_before_it_hold() {
    let log = log_at("checkpoint");
    put_versions(&log, 12);
    let whole = log.load(AsOf::Version(10)).unwrap().unwrap();
    checkpoint::write(&log, &whole).unwrap();
    for version in 0..=10 {
        log.store.wait(log.store.objects().delete(&log.key(&name_of(version)).unwrap())).unwrap();
    }
    let read = log.load(AsOf::Version(10)).unwrap().unwrap();
    let without_change = |snapshot: &Snapshot| {
        let mut files = snapshot.files.clone();
        files.values_mut().for_each(|add| add.data_change = false);
        files
    };
    assert_eq!(without_change(&read), without_change(&whole));
    assert_eq!((&read.metadata, &read.protocol, &read.txns), (&whole.metadata, &whole.protocol, &whole.txns));
    assert_eq!(read.removes.keys().collect::<BTreeSet<_>>(), whole.removes.keys().collect());
    // The hint may be missing, broken or of a checkpoint that is not there.
    for hint in ["", "{", r#"{"version":99,"size":1}"#, r#"{"version":3,"size":1}"#] {
        put_text(&log, HINT, hint);
        assert_eq!(files(&log, AsOf::Latest), ["f12"], "{hint}");
    }
    assert_eq!(error_of(&log, AsOf::Version(4)).reason_word(), "delta_log_gap");
}

#[test]
fn a_checkpoint_in_parts_counts_only_when_all_of_them_are_there() {
    let log = log_at("parts");
    put_versions(&log, 12);
    checkpoint::write(&log, &log.load(AsOf::Version(10)).unwrap().unwrap()).unwrap();
    let whole = log.key(&checkpoint_of(10)).unwrap();
    // Each part has the same rows, which says the same as different rows would.
    let part =
        |part: u32| log.key(&format!("{}.checkpoint.{part:010}.0000000002.parquet", digits(10))).unwrap();
    log.store.wait(log.store.objects().copy(&whole, &part(1))).unwrap();
    log.store.wait(log.store.objects().delete(&whole)).unwrap();
    assert_eq!(log.list(0).unwrap().checkpoints.len(), 0);
    log.store.wait(log.store.objects().copy(&part(1), &part(2))).unwrap();
    assert_eq!(log.list(0).unwrap().checkpoints[&10].len(), 2);
    log.store.wait(log.store.objects().delete(&log.key(&name_of(3)).unwrap())).unwrap();
    assert_eq!(files(&log, AsOf::Latest), ["f12"]);
}

#[test]
fn a_gap_and_a_broken_version_are_errors_and_not_fewer_rows() {
    let log = log_at("gap");
    put_versions(&log, 4);
    log.store.wait(log.store.objects().delete(&log.key(&name_of(2)).unwrap())).unwrap();
    let error = error_of(&log, AsOf::Latest);
    assert_eq!((error.class(), error.reason_word()), (Class::Data, "delta_log_gap"));
    assert_eq!(files(&log, AsOf::Version(1)), ["f1"]);
    put_text(&log, &name_of(2), "{\"add\":{\"path\":\"f2\"");
    let error = error_of(&log, AsOf::Latest);
    assert!(error.class() == Class::Data && error.to_string().contains("00002.json"), "{error}");
    put_text(&log, &checkpoint_of(2), "not Parquet");
    assert_eq!(error_of(&log, AsOf::Latest).class(), Class::Data);
}

#[test]
fn a_gap_that_closes_is_none() {
    let log = log_at("closes");
    put_versions(&log, 4);
    let missing = log.key(&name_of(2)).unwrap();
    let text = put::read(&log.store, &missing).unwrap().unwrap().bytes;
    log.store.wait(log.store.objects().delete(&missing)).unwrap();
    let writer = {
        let log = log.clone();
        std::thread::spawn(move || {
            std::thread::sleep(3 * FIRST_WAIT);
            log.store.wait(log.store.objects().put(&missing, text.into())).unwrap();
        })
    };
    assert_eq!(files(&log, AsOf::Latest), ["f4"]);
    writer.join().unwrap();
}

#[test]
fn a_log_on_disk_reads_the_same_below_any_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a b%20c#d/ü");
    let log = Log::at(&Location::folder(&path.display().to_string()).unwrap());
    assert!(!log.exists().unwrap() && log.load(AsOf::Latest).unwrap().is_none());
    for version in 0..11 {
        let mut lines = if version == 0 { table() } else { Vec::new() };
        lines.push(added(&format!("f{version}")));
        let key = log.key(&name_of(version)).unwrap();
        assert!(matches!(put::create(&log.store, &key, lines.join("\n").into()), put::Created::Yes));
    }
    let snapshot = log.load(AsOf::Latest).unwrap().unwrap();
    assert_eq!((snapshot.version, snapshot.files.len()), (10, 11));
    checkpoint::write_if_due(&log, &snapshot);
    std::fs::remove_file(path.join("_delta_log").join(name_of(5))).unwrap();
    assert_eq!(log.load(AsOf::Latest).unwrap().unwrap().files.len(), 11);
    assert!(path.join("_delta_log/_last_checkpoint").exists());
}
