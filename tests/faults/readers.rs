//! Readers in a loop see one version of an output or another, while writers publish and are killed.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::Signal;

use super::place::{Place, ROWS, numbers_from};

/// Publishes of one test.
const PUBLISHES: u64 = 16;
/// Where every other writer is killed.
const KILLS: [&str; 5] = ["claimed", "commit.ready", "commit.published", "commit.manifest", "commit.removed"];
/// The distance of the numbers of two publishes.
const STEP: u64 = 1000;

/// Whether `numbers` are whole publishes: one, or after appends any.
fn is_whole(numbers: &[u64], appends: bool) -> bool {
    let mut counts = BTreeMap::new();
    numbers.iter().for_each(|n| *counts.entry(n / STEP).or_insert(0u64) += 1);
    counts.values().all(|count| *count == ROWS) && (appends || counts.len() <= 1)
}

/// The same of what a Kiln job has counted: all numbers of a publish have this sum.
fn is_whole_by_sum(text: &str, appends: bool) -> bool {
    let (rows, sum) = text.trim().split_once(" rows, sum ").unwrap();
    let (rows, sum): (u64, f64) = (rows.parse().unwrap(), sum.parse().unwrap());
    let of_first = numbers_from(0).iter().sum::<u64>();
    let publishes = rows / ROWS;
    let offsets = sum as u64 - publishes * of_first;
    rows.is_multiple_of(ROWS) && offsets.is_multiple_of(ROWS * STEP) && (appends || publishes == 1)
}

fn read_while_writers_publish(mode: &str) {
    let place = Place::s3();
    place.job(mode, 0).run().ok();
    let is_done = AtomicBool::new(false);
    let looks = std::thread::scope(|scope| {
        let by_manifest = scope.spawn(|| {
            let mut looks = 0;
            while !is_done.load(Ordering::SeqCst) {
                let version = place.version();
                match place.try_numbers() {
                    Some(numbers) => {
                        assert!(is_whole(&numbers, mode == "append"), "{mode}: {numbers:?}");
                        looks += 1;
                    }
                    // Its version was replaced while it read; then another one is there.
                    None => assert_ne!(place.version(), version, "{mode}: a file of the manifest is missing"),
                }
            }
            looks
        });
        let by_kiln = scope.spawn(|| {
            let mut looks = 0;
            while !is_done.load(Ordering::SeqCst) {
                let job = place.plain().option("--read", place.uri());
                let ended = if mode == "replace-partitions" { job.arg("--by-day") } else { job }.run();
                match ended.code() {
                    Some(0) => {
                        assert!(is_whole_by_sum(&ended.stdout, mode == "append"), "{mode}: {}", ended.stdout);
                        looks += 1;
                    }
                    // An error is no mix; it must be one that a retry helps.
                    _ => assert!(ended.stderr.contains("error["), "{}", ended.stderr),
                }
            }
            looks
        });
        for number in 1..PUBLISHES {
            let job = place.job(mode, number * STEP);
            let ended = match number % 2 {
                0 => job.run().ok(),
                _ => job.env("KILN_FAILPOINT", format!("{}=kill", KILLS[number as usize / 2 % 5])).run(),
            };
            assert_eq!(
                ended.killed_by(),
                (number % 2 == 1).then_some(Signal::KILL.as_raw()),
                "{}",
                ended.stderr
            );
        }
        is_done.store(true, Ordering::SeqCst);
        [by_manifest.join().unwrap(), by_kiln.join().unwrap()]
    });
    assert!(looks[0] > 10 && looks[1] > 2, "{mode}: {looks:?}");
}

#[test]
#[ignore = "slow"]
fn readers_see_whole_versions_while_an_output_is_overwritten() {
    read_while_writers_publish("overwrite");
}

#[test]
fn readers_see_whole_versions_while_partitions_are_replaced() {
    read_while_writers_publish("replace-partitions");
}

#[test]
#[ignore = "slow"]
fn readers_see_whole_versions_while_rows_are_appended() {
    read_while_writers_publish("append");
}

#[test]
fn a_first_publish_that_is_under_way_or_was_killed_shows_no_rows_to_a_kiln_reader() {
    for (step, modes) in
        [("claimed", ["error", "append"]), ("commit.ready", ["overwrite", "replace-partitions"])]
    {
        for mode in modes {
            let place = Place::s3();
            let job = place.job(mode, 0).env("KILN_FAILPOINT", format!("{step}=stop")).start();
            job.wait_until_stopped();
            let ended = place.plain().option("--read", place.uri()).run();
            assert_eq!(ended.code(), Some(78), "{step}: {}{}", ended.stdout, ended.stderr);
            job.signal(Signal::KILL);
            job.wait();
            let ended = place.plain().option("--read", place.uri()).run();
            assert_eq!(ended.code(), Some(78), "{step}: {}{}", ended.stdout, ended.stderr);
        }
    }
}

#[test]
fn a_first_publish_whose_manifest_is_not_put_yet_is_read_whole_or_not_at_all() {
    let place = Place::s3();
    let held = place.server().hold("/_SUCCESS");
    let job = place.job("append", 0).start();
    held.wait();
    let ended = place.plain().option("--read", place.uri()).run();
    assert!(
        ended.code() == Some(78) || ended.stdout.starts_with("600 rows"),
        "{}{}",
        ended.stdout,
        ended.stderr
    );
    job.signal(Signal::KILL);
    job.wait();
    // It is decided: the next publish finishes it before its own.
    place.job("append", 1000).run().ok();
    assert_eq!(place.numbers(), super::place::with(&numbers_from(1000), 0));
}
