//! Where kept rows are stored, when they are dropped, and results that are larger than memory.
//!
//! Each context has its own folder for temporary files, so that the files on disk can be counted.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use kiln::{Class, Cluster, Config, Context, Dataset, Level};
use tempfile::TempDir;

use crate::random::Random;
use crate::support::{check_ordered, config, context, for_each_seed, local};

const LOCAL: Cluster = Cluster::Local { slots: 2 };
const EXECUTORS: Cluster = Cluster::LocalCluster { executors: 2, slots: 1 };
/// Less memory than the rows of `many` take.
const LITTLE: u64 = 16 << 20;
/// How long executors may take to carry out a request.
const LIMIT: Duration = Duration::from_secs(20);

/// Counts a call, and returns `row`.
fn called(calls: &AtomicU64, row: u64) -> u64 {
    calls.fetch_add(1, Ordering::SeqCst);
    row
}

#[test]
fn rows_on_disk_are_in_temporary_files_and_rows_in_memory_are_not() {
    for cluster in [LOCAL, EXECUTORS] {
        for (level, on_disk) in [(Level::Disk, true), (Level::Memory, false), (Level::Auto, false)] {
            let (cx, tmp) = with_memory(cluster, 1 << 30);
            let rows = cx.parallelize_in(4, 0..1000u64).persist(level);
            assert_eq!((rows.sum().unwrap(), rows.sum().unwrap()), (499_500, 499_500));
            assert_eq!(bytes_in(tmp.path()) > 0, on_disk, "{cluster:?}, {level:?}");
        }
    }
}

#[test]
fn unpersist_frees_the_rows_and_the_dataset_stays_usable() {
    for cluster in [LOCAL, EXECUTORS] {
        let (cx, tmp) = with_memory(cluster, 1 << 30);
        let rows = cx.parallelize_in(4, 0..1000u64).persist(Level::Disk);
        assert_eq!(rows.count().unwrap(), 1000);
        rows.unpersist();
        frees(tmp.path());
        assert_eq!(rows.key_by(|n| n % 3).reduce_by_key(|a, b| a + b).count().unwrap(), 3);
        frees(tmp.path());
    }
}

#[test]
fn a_dataset_is_computed_by_every_action_once_it_is_kept_no_more() {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let rows = local().parallelize_in(3, 0..10u64).map(|n: u64| called(&CALLS, n));
    let rows = rows.persist(Level::Auto);
    assert_eq!((rows.count().unwrap(), rows.count().unwrap()), (10, 10));
    assert_eq!(CALLS.load(Ordering::SeqCst), 10);
    rows.unpersist();
    assert_eq!((rows.sum().unwrap(), rows.sum().unwrap()), (45, 45));
    assert_eq!(CALLS.load(Ordering::SeqCst), 30);
}

#[test]
fn what_persist_was_not_asked_for_is_not_let_go_of() {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let kept = local().parallelize_in(3, 0..10u64).map(|n: u64| called(&CALLS, n)).cache();
    kept.count().unwrap();
    kept.clone().filter(|n| n > 3).erase().unpersist();
    kept.count().unwrap();
    assert_eq!(CALLS.load(Ordering::SeqCst), 10);
}

#[test]
fn rows_that_do_not_fit_go_to_disk_or_say_which_limit_to_raise() {
    for cluster in [LOCAL, EXECUTORS] {
        let (cx, tmp) = with_memory(cluster, LITTLE);
        let auto = many(&cx).persist(Level::Auto);
        assert_eq!((auto.count().unwrap(), auto.count().unwrap()), (MANY, MANY));
        assert!(bytes_in(tmp.path()) > 0, "{cluster:?}");
        let error = many(&cx).persist(Level::Memory).count().unwrap_err();
        assert_eq!(error.class(), Class::Resource);
        assert!(error.to_string().contains("KILN_MEMORY"), "{error}");
    }
}

#[test]
fn iter_streams_more_rows_than_the_memory_holds() {
    for cluster in [LOCAL, EXECUTORS] {
        let (cx, tmp) = with_memory(cluster, LITTLE);
        let (mut seen, mut spilled) = (0, 0);
        for row in many(&cx).iter().unwrap() {
            assert_eq!(row.unwrap(), text(seen));
            if seen == 0 {
                spilled = bytes_in(tmp.path());
            }
            seen += 1;
        }
        assert_eq!(seen, MANY);
        assert!(spilled > 0, "{cluster:?}");
        frees(tmp.path());
    }
}

#[test]
fn an_iterator_that_is_dropped_early_lets_go_of_its_rows() {
    for cluster in [LOCAL, EXECUTORS] {
        let (cx, tmp) = with_memory(cluster, LITTLE);
        let mut rows = many(&cx).iter().unwrap();
        assert_eq!(rows.next().unwrap().unwrap(), text(0));
        assert!(bytes_in(tmp.path()) > 0, "{cluster:?}");
        drop(rows);
        frees(tmp.path());
    }
}

#[test]
fn a_checkpoint_has_the_same_rows_in_the_same_order_and_no_past() {
    for_each_seed(|seed| {
        let rows = Random::new(seed).rows(300, |r| (r.string(), r.below(10)));
        check_ordered(&rows, |s| {
            static CALLS: AtomicU64 = AtomicU64::new(0);
            let folder = tempfile::tempdir().unwrap();
            let uri = folder.path().join("rows").display().to_string();
            let before = s.rows(&rows).filter(|_| CALLS.fetch_add(1, Ordering::SeqCst) < u64::MAX);
            let after = before.checkpoint(&uri)?;
            // A second checkpoint at this address would replace rows that are still to be read.
            assert_eq!(before.checkpoint(&uri).map(drop).unwrap_err().class(), Class::Config);
            let calls = CALLS.load(Ordering::SeqCst);
            let found = after.collect()?;
            assert_eq!(CALLS.load(Ordering::SeqCst), calls, "nothing is computed again");
            Ok(found)
        });
    });
}

/// Number of rows of `many`.
const MANY: u64 = 24_000;

/// 24 MB in two partitions.
fn many(cx: &Context) -> Dataset<String> {
    cx.parallelize_in(2, 0..MANY).map(text).erase()
}

/// A row of a thousand bytes.
fn text(n: u64) -> String {
    format!("{n:01000}")
}

fn with_memory(cluster: Cluster, memory: u64) -> (Context, TempDir) {
    let tmp = tempfile::tempdir().unwrap();
    let config = Config { memory, tmp: tmp.path().to_owned(), batch_rows: 1000, ..config(cluster) };
    (context(config, "persist"), tmp)
}

/// Waits until all temporary files are empty; executors free them a moment later.
fn frees(tmp: &Path) {
    let end = Instant::now() + LIMIT;
    while bytes_in(tmp) > 0 {
        assert!(Instant::now() < end, "{} bytes are left", bytes_in(tmp));
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Size of all files below a folder.
fn bytes_in(folder: &Path) -> u64 {
    let Ok(entries) = folder.read_dir() else { return 0 };
    let bytes = |path: std::path::PathBuf| match path.is_dir() {
        true => bytes_in(&path),
        false => path.metadata().map_or(0, |file| file.len()),
    };
    entries.flatten().map(|entry| bytes(entry.path())).sum()
}
