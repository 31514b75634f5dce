//! Readers of four projects look at a table in loops, while writers publish and every other one of them is killed.

use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::Signal;

use super::job::Job;
use super::s3::{BUCKET, S3};
use super::script;

/// Publishes of one test, after the first.
const PUBLISHES: u64 = 10;
/// Where the first attempt of every other publish is killed.
const KILLS: [&str; 5] = ["claimed", "commit.ready", "commit.checked", "delta.written", "commit.published"];
/// Numbers of every publish, and the distance of those of two publishes.
const ROWS: u64 = 600;
const STEP: u64 = 1000;
const READERS: [&str; 3] = ["deltalake", "polars", "duckdb"];

/// Where the table is.
enum Place {
    Disk(tempfile::TempDir),
    S3(S3),
}

impl Place {
    fn uri(&self) -> String {
        match self {
            Place::Disk(folder) => folder.path().join("rows").display().to_string(),
            Place::S3(_) => format!("s3://{BUCKET}/out/rows"),
        }
    }

    fn job(&self) -> Job {
        let job = Job::new(env!("CARGO_BIN_EXE_small")).on("local[2]");
        match self {
            Place::Disk(_) => job,
            Place::S3(s3) => s3.tell(job),
        }
    }

    fn attempt(&self, mode: &str, publish: u64, number: u32) -> Job {
        let job = self.job().option("--mode", mode).option("--offset", (publish * STEP).to_string());
        let job = if mode == "replace-partitions" { job.arg("--by-day") } else { job };
        let job = job.arg("--delta").option("--output", self.uri());
        job.env("KILN_RUN_ID", format!("run-{publish}")).env("KILN_ATTEMPT", number.to_string())
    }

    fn reader(&self, reader: &str, mode: &str, stop: &Path) -> Child {
        let mut command = script("read_in_loop.py");
        command.args([reader, &self.uri(), mode, &ROWS.to_string(), &STEP.to_string()]).arg(stop);
        if let Place::S3(s3) = self {
            let (key, secret) = s3.keys_of_user();
            command.env("AWS_ENDPOINT", s3.endpoint()).env("AWS_REGION", "us-east-1");
            command.env("AWS_ACCESS_KEY_ID", key).env("AWS_SECRET_ACCESS_KEY", secret);
        }
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }
}

/// Publishes `number`: its first attempt may be killed, its second one is not.
fn publish(place: &Place, mode: &str, number: u64) {
    if number % 2 == 1 {
        // On disk only, a version is written before it is linked to its name.
        let step = match KILLS[number as usize / 2 % 5] {
            "delta.written" if matches!(place, Place::S3(_)) => "commit.ready",
            step => step,
        };
        let killed = place.attempt(mode, number, 1).env("KILN_FAILPOINT", format!("{step}=kill")).run();
        assert_eq!(killed.killed_by(), Some(Signal::KILL.as_raw()), "{step}: {}", killed.stderr);
    }
    place.attempt(mode, number, 2).run().ok();
}

/// Looks by Kiln until `is_over`; returns how often. A look is of whole publishes, and never of fewer than before.
fn look_by_kiln(place: &Place, mode: &str, is_over: &AtomicBool) -> u64 {
    let (mut looks, mut most) = (0, 0);
    while !is_over.load(Ordering::SeqCst) {
        let text = place.job().option("--read", place.uri()).run().ok().stdout;
        let (rows, sum) = text.trim().split_once(" rows, sum ").unwrap();
        let (rows, sum): (u64, u64) = (rows.parse().unwrap(), sum.parse::<f64>().unwrap() as u64);
        let publishes = rows / ROWS;
        let offsets = sum - publishes * (0..ROWS).sum::<u64>();
        assert!(rows == publishes * ROWS && offsets.is_multiple_of(ROWS * STEP), "{mode}: {text}");
        // Publishes 0 to n of an append, or the last one alone.
        let last = if mode == "append" { publishes - 1 } else { offsets / (ROWS * STEP) };
        let expected = if mode == "append" { (0..=last).sum() } else { last };
        assert!(offsets == ROWS * STEP * expected && last >= most, "{mode}: {text} after publish {most}");
        assert!(mode == "append" || publishes == 1, "{mode}: {text}");
        (looks, most) = (looks + 1, last);
    }
    looks
}

fn whole_versions_only(place: &Place, mode: &str) {
    let folder = tempfile::tempdir().unwrap();
    let (stop, is_over) = (folder.path().join("stop"), AtomicBool::new(false));
    publish(place, mode, 0);
    let readers = READERS.map(|reader| (reader, place.reader(reader, mode, &stop)));
    let by_kiln = std::thread::scope(|scope| {
        let by_kiln = scope.spawn(|| look_by_kiln(place, mode, &is_over));
        (1..=PUBLISHES).for_each(|number| publish(place, mode, number));
        is_over.store(true, Ordering::SeqCst);
        std::fs::write(&stop, "").unwrap();
        by_kiln.join().unwrap()
    });
    println!("{mode}: kiln looked {by_kiln} times");
    assert!(by_kiln > 2);
    for (reader, child) in readers {
        let ended = child.wait_with_output().unwrap();
        assert!(ended.status.success(), "{mode}, {reader}: {}", String::from_utf8_lossy(&ended.stderr));
        let text = String::from_utf8(ended.stdout).unwrap();
        let looks: u64 = text.split(' ').next().unwrap().parse().unwrap();
        println!("{mode}: {reader} looked {looks} times");
        assert!(looks > 5, "{mode}, {reader}: {looks} looks");
    }
}

#[test]
fn readers_see_whole_versions_of_a_table_on_disk() {
    for mode in ["overwrite", "replace-partitions", "append"] {
        whole_versions_only(&Place::Disk(tempfile::tempdir().unwrap()), mode);
    }
}

#[test]
fn readers_see_whole_versions_of_a_table_in_a_store() {
    for mode in ["overwrite", "replace-partitions", "append"] {
        whole_versions_only(&Place::S3(S3::start()), mode);
    }
}
