//! Merges at once and in passes, with keys and values that do not fit.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use super::super::kinds::{Name, NoShared, Reduce};
use super::super::table::partition_of;
use super::*;
use crate::row::{ColumnBuilder, ipc, to_batch};
use crate::shuffle::TaskOutput;
use crate::task::tests::Desk;

type Row3 = Combined<String, u64>;

/// Rows as a combine writes them for the second of three partitions, with every key twice.
fn combined(keys: u64) -> Vec<RecordBatch> {
    let words = (0..2 * keys).map(|i| format!("a key that does not fit its slot {}", i % keys));
    let rows = words.map(|word| (String::hash(&word), word));
    let ours: Vec<(u64, String)> = rows.filter(|(hash, _)| partition_of(*hash, 3) == 1).collect();
    let batch = |rows: &[(u64, String)]| {
        let mut builder = <Row3 as Row>::Builder::default();
        rows.iter().for_each(|(hash, word)| builder.push((Carried::new(*hash), word, 1)));
        to_batch::<Row3>(&mut builder).unwrap()
    };
    ours.chunks(5000).map(batch).collect()
}

fn merged(keys: u64, memory: u64) -> (Vec<(String, u64)>, u64) {
    let desk = Desk::new(combined(keys), memory);
    let site = kiln_planner::Site::caller();
    let reduce = Reduce::new(NoShared, |a: u64, b: u64| a + b, Name::ReduceByKey, site);
    let mut output = TaskOutput::of(&desk.env);
    Merge::<String, _>::operator(reduce, Slices::whole(3)).run(&desk.task(), &mut output).unwrap();
    let batches: Vec<RecordBatch> = output.partition(0).iter().map(|b| b.read().unwrap()).collect();
    (ipc::rows_of(&batches).unwrap(), desk.reads.load(Ordering::Relaxed))
}

/// Values of half a kilobyte, two hundred for each key.
fn long_values(keys: u64) -> Vec<RecordBatch> {
    let mut builder = <Combined<u64, String> as Row>::Builder::default();
    let batches = (0..20).map(|_| {
        for i in 0..10 * keys {
            let key = i % keys;
            builder.push((Carried::new(u64::hash(key)), key, &"x".repeat(500)));
        }
        to_batch::<Combined<u64, String>>(&mut builder).unwrap()
    });
    batches.collect()
}

#[test]
fn values_that_grow_large_are_merged_in_passes_and_by_fewer_rows() {
    // A value ends up with 100 kB, so a share of 2 MiB holds few of them, and never all rows between
    // two checks.
    let desk = Desk::new(long_values(60), 4 << 20);
    let site = kiln_planner::Site::caller();
    let reduce = Reduce::new(NoShared, |a: String, b: String| a + &b, Name::ReduceByKey, site);
    let mut output = TaskOutput::of(&desk.env);
    Merge::<u64, _>::operator(reduce, Slices::whole(1)).run(&desk.task(), &mut output).unwrap();
    let batches: Vec<RecordBatch> = output.partition(0).iter().map(|b| b.read().unwrap()).collect();
    let rows: BTreeMap<u64, String> = ipc::rows_of(&batches).unwrap().into_iter().collect();
    let reads = desk.reads.load(Ordering::Relaxed);
    assert!(rows.len() == 60 && rows.values().all(|value| value.len() == 100_000));
    assert!((4..40).contains(&reads), "{reads} reads");
}

#[test]
fn keys_that_do_not_fit_are_merged_in_passes() {
    let (at_once, reads) = merged(90_000, 1 << 30);
    assert_eq!(reads, 1);
    let (in_passes, reads) = merged(90_000, 1 << 20);
    assert!(reads > 3, "{reads} reads");
    let map = |rows: Vec<(String, u64)>| rows.into_iter().collect::<BTreeMap<_, _>>();
    assert_eq!(in_passes.len(), at_once.len());
    let (at_once, in_passes) = (map(at_once), map(in_passes));
    assert!(at_once.len() > 20_000 && at_once == in_passes && at_once.values().all(|n| *n == 2));
}
