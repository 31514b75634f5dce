//! Sources and sinks that are not the engine's: the example's dump files, and files for warehouses, as processes.
//!
//! What is tested here is the way of the rows through `Scan` and `Sink` of the public API. The systems that the crate
//! of connectors knows have suites of their own.

#![allow(clippy::unwrap_used, reason = "a test fails by it, also in its support functions")]

#[path = "support/job.rs"]
mod job;
#[path = "support/processes.rs"]
mod processes;
#[path = "support/s3.rs"]
mod s3;
#[path = "connectors/warehouse.rs"]
mod warehouse;

use std::fs;
use std::path::Path;

use job::{Ended, Job};
use tempfile::TempDir;

const SENSOR_DUMP: &str = env!("CARGO_BIN_EXE_sensor_dump");
/// Records of a split in the example, and so of a task.
const SPLIT_RECORDS: u32 = 1 << 20;

/// A dump of `records` readings: sensor `i % 7` at `i` degrees Fahrenheit.
fn dump(path: &Path, records: u32) {
    let record = |i: u32| [&(i % 7).to_le_bytes()[..], &f64::from(i).to_le_bytes()[..]].concat();
    fs::write(path, (0..records).flat_map(record).collect::<Vec<u8>>()).unwrap();
}

fn readings(path: &Path) -> Vec<(u32, f64)> {
    let record = |bytes: &[u8]| {
        let (sensor, degrees) = bytes.split_at(4);
        (u32::from_le_bytes(sensor.try_into().unwrap()), f64::from_le_bytes(degrees.try_into().unwrap()))
    };
    fs::read(path).unwrap().chunks(12).map(record).collect()
}

fn convert(input: &Path, output: &Path, place: Option<&str>) -> Ended {
    let job = Job::new(SENSOR_DUMP).arg(input).arg(output);
    match place {
        Some(place) => job.env("KILN_CLUSTER", place),
        None => job,
    }
    .run()
}

#[test]
fn rows_of_a_scan_reach_a_sink_once_and_in_order_wherever_the_job_runs() {
    let folder = TempDir::new().unwrap();
    let (input, output) = (folder.path().join("in.dump"), folder.path().join("out.dump"));
    let records = SPLIT_RECORDS * 2 + 5;
    dump(&input, records);
    let expected: Vec<(u32, f64)> = (0..records).map(|i| (i % 7, (f64::from(i) - 32.0) / 1.8)).collect();
    for place in [None, Some("local[1]"), Some("local-cluster[2,1]")] {
        let ended = convert(&input, &output, place);
        assert_eq!(ended.code(), Some(0), "{place:?}: {}", ended.stderr);
        assert!(readings(&output) == expected, "{place:?}: other readings than the loop");
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left.len(), 2, "{place:?}: beside the dumps there is something left: {left:?}");
    }
}

#[test]
fn a_source_without_rows_gives_an_empty_target() {
    let folder = TempDir::new().unwrap();
    let (input, output) = (folder.path().join("in.dump"), folder.path().join("out.dump"));
    dump(&input, 0);
    let ended = convert(&input, &output, None);
    assert_eq!(ended.code(), Some(0), "{}", ended.stderr);
    assert_eq!(fs::read(&output).unwrap(), b"");
}

#[test]
fn what_a_plan_finds_wrong_ends_the_job_before_a_task_and_leaves_the_target() {
    let folder = TempDir::new().unwrap();
    let (input, output) = (folder.path().join("in.dump"), folder.path().join("out.dump"));
    fs::write(&input, [0; 30]).unwrap();
    fs::write(&output, b"the old dump").unwrap();
    let ended = convert(&input, &output, None);
    assert_eq!(ended.code(), Some(65), "{}", ended.stderr);
    assert!(ended.stderr.contains("in the middle of a record"), "{}", ended.stderr);
    assert_eq!(fs::read(&output).unwrap(), b"the old dump");
}
