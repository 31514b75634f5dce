//! Damaged files: cut off at every sixteenth, and with single bytes changed at seeded places.
//!
//! Each must give a typed error that names it, or rows; no panic, and nothing that takes long or much memory.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use kiln::{Class, Context, Result};

use crate::files::{Item, batch, cx, items, write_arrow, write_parquet, write_stream};

/// Bytes that are changed, one per attempt.
const CHANGES: u64 = 200;
/// An attempt takes some milliseconds.
const LIMIT: Duration = Duration::from_secs(10);

type Read = fn(&Context, &str) -> Result<Vec<Item>>;

#[test]
fn a_damaged_parquet_file_is_an_error_or_rows() {
    let read: Read = |cx, address| cx.read_parquet::<Item>(address).collect();
    survives(|path| write_parquet(path, &batch(&items(0..500)), 200), read, true);
}

#[test]
fn a_damaged_arrow_file_is_an_error_or_rows() {
    let read: Read = |cx, address| cx.read_arrow::<Item>(address).collect();
    survives(|path| write_arrow(path, &batch(&items(0..500)), 200), read, true);
    survives(|path| write_stream(path, &batch(&items(0..500)), 200), read, false);
}

#[test]
fn a_damaged_text_file_is_an_error_or_rows() {
    let csv: Read = |cx, address| cx.read_csv::<Item>(address).collect();
    let text = |id: i64| format!("{id},\"name\"\"\n {id}\"\n");
    let lines = format!("id,name\n{}", (0..200).map(text).collect::<String>());
    survives(|path| fs::write(path, &lines).unwrap(), csv, false);
    let json: Read = |cx, address| cx.read_json::<Item>(address).collect();
    let lines: String = (0..200).map(|id| format!("{{\"id\":{id},\"name\":\"x\\u00e4\"}}\n")).collect();
    survives(|path| fs::write(path, &lines).unwrap(), json, false);
}

/// `ends_tell`: whether a file that was cut off can be told from a whole one.
fn survives(write: impl Fn(&Path), read: Read, ends_tell: bool) {
    let folder = tempfile::tempdir().unwrap();
    let (path, cx) = (folder.path().join("whole"), cx());
    write(&path);
    let whole = fs::read(&path).unwrap();
    read(&cx, &path.display().to_string()).unwrap();
    let damaged = folder.path().join("damaged");
    let attempt = |bytes: &[u8], what: &str| {
        fs::write(&damaged, bytes).unwrap();
        let started = Instant::now();
        let outcome = read(&cx, &damaged.display().to_string());
        assert!(started.elapsed() < LIMIT, "{what} took {:?}", started.elapsed());
        if let Err(error) = &outcome {
            assert_eq!(error.class(), Class::Data, "{what}: {error}");
            assert!(error.to_string().contains("damaged"), "{what}: {error}");
        }
        outcome
    };
    for part in 1..16 {
        let outcome = attempt(&whole[..whole.len() * part / 16], &format!("cut at {part}/16"));
        assert!(!ends_tell || outcome.is_err(), "cut at {part}/16");
    }
    let mut seed = 42u64;
    for _ in 0..CHANGES {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (at, change) = ((seed >> 33) as usize % whole.len(), (seed >> 25) as u8 | 1);
        let mut bytes = whole.clone();
        bytes[at] ^= change;
        let _ = attempt(&bytes, &format!("byte {at} changed by {change:#x}"));
    }
}
