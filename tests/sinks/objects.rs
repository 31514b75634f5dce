//! Outputs in S3, written by real jobs over HTTP.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rustix::process::Signal;

use super::job::{EVERYWHERE, Job};
use super::s3::{BUCKET, S3};
use super::{folder, small, table};

fn word_count(cluster: &str) -> Job {
    Job::new(env!("CARGO_BIN_EXE_word_count")).on(cluster)
}

/// The files of an output by its log or manifest, or those of one of its folders, copied to a local
/// folder for a Parquet reader.
fn download(s3: &S3, prefix: &str) -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    let output = prefix.find("/day=").map_or(prefix, |day| &prefix[..day]);
    for key in s3.published(output).into_iter().filter(|key| key.starts_with(prefix)) {
        let name = PathBuf::from(&key);
        std::fs::copy(s3.bucket().join(&key), place.path().join(name.file_name().unwrap())).unwrap();
    }
    place
}

fn numbers(s3: &S3, prefix: &str) -> Vec<u64> {
    let mut numbers = table::numbers(download(s3, prefix).path());
    numbers.sort_unstable();
    numbers
}

/// A job that publishes plain files; `attempts` has the same tests for tables.
fn publish(s3: &S3, cluster: &str, mode: &str, offset: u64) -> Job {
    let job = small(cluster).arg("--plain").option("--mode", mode).option("--offset", offset.to_string());
    s3.tell(job.option("--output", format!("s3://{BUCKET}/out/rows")))
}

/// The version of the log that creates a table.
const FIRST_VERSION: &str = "out/words/_delta_log/00000000000000000000.json";

#[test]
fn words_are_counted_from_s3_to_s3() {
    for cluster in EVERYWHERE {
        let s3 = S3::start();
        s3.put("books/one.txt", "to be or\nnot to be\n");
        s3.put("books/two.txt", "be\n");
        let job = word_count(cluster).option("--input", format!("s3://{BUCKET}/books/"));
        let ended = s3.tell(job.option("--output", format!("s3://{BUCKET}/out/words"))).run().ok();
        let expected = [("be", 3), ("not", 1), ("or", 1), ("to", 2)].map(|(word, n)| (word.to_owned(), n));
        assert_eq!(table::word_counts(download(&s3, "out/words/").path()), BTreeMap::from(expected));
        let output = &ended.json()["outputs"][0];
        assert_eq!(
            (&output["uri"], &output["rows"]),
            (&format!("s3://{BUCKET}/out/words").into(), &4.into())
        );
        assert!(s3.keys("out/words/_delta_log/").contains(&FIRST_VERSION.to_owned()));
        assert_eq!(s3.unpublished("out/words"), [""; 0]);
    }
}

/// Limit of a single PUT: larger objects are uploaded in parts.
const MULTIPART_BYTES: u64 = 8 << 20;

/// Numbered lines of hardly compressible text.
fn lines(count: u64) -> String {
    let mut seed = 7u64;
    let mut letter = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'#' + (seed >> 57) as u8 % 90)
    };
    let mut line = |n| format!("{n},{}\n", (0..1000).map(|_| letter()).collect::<String>().replace(',', " "));
    format!("n,text\n{}", (0..count).map(&mut line).collect::<String>())
}

/// The CSV that a job has published in a local folder.
fn published(folder: &Path) -> String {
    let files = folder::tree(folder).into_iter().filter(|file| file.extension().is_some_and(|e| e == "csv"));
    files.map(|file| std::fs::read_to_string(folder.join(file)).unwrap()).collect()
}

#[test]
fn csv_goes_to_s3_as_a_large_parquet_object_and_comes_back_as_it_was() {
    for cluster in EVERYWHERE {
        let (s3, place) = (S3::start(), tempfile::tempdir().unwrap());
        let (text, copy) = (lines(14_000), || Job::new(env!("CARGO_BIN_EXE_copy")).on(cluster));
        let bucket = format!("s3://{BUCKET}");
        s3.put("in/lines.csv", &text);
        let there = copy().option("--input", format!("{bucket}/in/lines.csv"));
        s3.tell(there.option("--output", format!("{bucket}/lines"))).run().ok();
        let objects = s3.keys("lines/").into_iter().filter(|key| key.ends_with(".parquet"));
        let sizes: Vec<u64> =
            objects.map(|key| std::fs::metadata(s3.bucket().join(key)).unwrap().len()).collect();
        assert!(sizes.len() == 1 && sizes[0] > MULTIPART_BYTES, "{sizes:?}");
        let back = |name: &str, from: &str| {
            let output = place.path().join(name);
            let job = copy().option("--input", format!("{bucket}/lines")).option("--output", &output);
            s3.tell(if from.is_empty() { job } else { job.option("--from", from) }).run().ok();
            published(&output)
        };
        assert!(back("all.csv", "") == text, "what came back differs");
        let last: String = text.split_inclusive('\n').skip(1 + 13_990).collect();
        assert_eq!(back("last.csv", "13990"), format!("n,text\n{last}"));
        assert_eq!(s3.unpublished("lines"), [""; 0]);
    }
}

#[test]
fn every_mode_does_in_s3_what_it_does_on_disk() {
    let s3 = S3::start();
    publish(&s3, "local[2]", "error", 0).run().ok();
    publish(&s3, "local[2]", "error", 9000).run().fails(
        78,
        "config",
        &["the output exists", "s3://bucket/out/rows"],
    );
    publish(&s3, "local[2]", "append", 600).run().ok();
    assert_eq!(numbers(&s3, "out/rows/"), (0..1200).collect::<Vec<u64>>());
    publish(&s3, "local[2]", "overwrite", 5000).run().ok();
    assert_eq!(numbers(&s3, "out/rows/"), (5000..5600).collect::<Vec<u64>>());
    publish(&s3, "local[2]", "ignore", 0).run().exits(99);
    assert_eq!((s3.keys("out/rows/").len(), s3.unpublished("out/rows").len()), (6 + 1, 0));
}

#[test]
fn a_driver_killed_before_its_commit_leaves_nothing_that_a_manifest_names_and_no_one_waits_for_it() {
    for cluster in EVERYWHERE {
        let (s3, gate) = (S3::start(), tempfile::tempdir().unwrap());
        let killed = publish(&s3, cluster, "error", 0).option("--gate", gate.path()).start();
        folder::wait_for(gate.path(), "waits-", 1);
        killed.signal(Signal::KILL);
        killed.wait();
        assert_eq!(s3.manifest("out/rows"), [""; 0]);
        publish(&s3, cluster, "error", 700).run().ok();
        assert_eq!(numbers(&s3, "out/rows/"), (700..1300).collect::<Vec<u64>>());
        publish(&s3, cluster, "overwrite", 800).run().ok();
        assert_eq!(numbers(&s3, "out/rows/"), (800..1400).collect::<Vec<u64>>());
        assert_eq!(s3.unpublished("out/rows"), [""; 0]);
    }
}

#[test]
fn a_commit_that_was_killed_before_its_manifest_is_finished_by_the_next_publish() {
    let s3 = S3::start();
    let held = s3.hold("/_SUCCESS");
    let killed = publish(&s3, "local[2]", "error", 0).start();
    held.wait();
    killed.signal(Signal::KILL);
    killed.wait();
    assert_eq!((s3.keys("out/rows/").len(), s3.manifest("out/rows").len()), (6, 0));
    publish(&s3, "local[2]", "error", 700).run().fails(78, "config", &["the output exists"]);
    assert_eq!(numbers(&s3, "out/rows/"), (0..600).collect::<Vec<u64>>());
}

/// The contents of each folder of an output by days.
fn days(s3: &S3) -> [Vec<u64>; 3] {
    [0, 1, 2].map(|day| numbers(s3, &format!("out/rows/day={day}/")))
}

#[test]
fn partitions_are_replaced_in_s3_and_a_killed_commit_of_them_is_finished() {
    for cluster in EVERYWHERE {
        let s3 = S3::start();
        let publish = |rows: u64, offset| {
            let job = publish(&s3, cluster, "replace-partitions", offset);
            job.arg("--by-day").option("--rows", rows.to_string())
        };
        let from = |first: u64| (first..first + 200).collect::<Vec<u64>>();
        publish(600, 0).run().ok();
        assert_eq!(days(&s3), [from(0), from(200), from(400)]);
        publish(400, 1000).run().ok();
        assert_eq!(days(&s3), [from(1000), from(1200), from(400)]);

        let held = s3.hold("/_SUCCESS");
        let killed = publish(400, 2000).start();
        held.wait();
        killed.signal(Signal::KILL);
        killed.wait();
        assert_eq!(days(&s3), [from(1000), from(1200), from(400)], "before its manifest");
        publish(200, 3000).run().ok();
        assert_eq!(days(&s3), [from(3000), from(2200), from(400)]);
        assert_eq!(s3.unpublished("out/rows"), [""; 0]);
    }
}

#[test]
fn of_two_jobs_that_publish_to_one_place_in_s3_one_wins_and_is_whole() {
    let s3 = S3::start();
    let gates = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let rivals = [0, 1000].map(|offset| {
        let gate = gates[usize::from(offset > 0)].path();
        (offset, publish(&s3, "local[1]", "error", offset).option("--gate", gate).start())
    });
    gates.iter().for_each(|gate| folder::wait_for(gate.path(), "waits-", 1));
    gates.iter().for_each(|gate| std::fs::write(gate.path().join("open"), "").unwrap());
    let ended = rivals.map(|(offset, rival)| (offset, rival.wait()));
    let (won, lost): (Vec<_>, Vec<_>) = ended.iter().partition(|(_, ended)| ended.code() == Some(0));
    assert_eq!((won.len(), lost.len()), (1, 1), "{}", ended[0].1.stderr.clone() + &ended[1].1.stderr);
    lost[0].1.fails(78, "config", &["the output exists"]);
    assert_eq!(numbers(&s3, "out/rows/"), (won[0].0..won[0].0 + 600).collect::<Vec<u64>>());
    assert_eq!((s3.keys("out/rows/").len(), s3.unpublished("out/rows").len()), (6 + 1, 0));
}

#[test]
fn of_jobs_that_overwrite_or_append_at_once_in_s3_none_is_mixed_or_lost() {
    for (mode, rows) in [("overwrite", 600), ("append", 1800)] {
        let s3 = S3::start();
        let rivals = [0, 600, 1200].map(|offset| publish(&s3, "local[1]", mode, offset).start());
        let fenced = if mode == "append" { 0 } else { 73 };
        let ended = rivals.map(|rival| rival.wait());
        assert!(ended.iter().all(|ended| [0, fenced].contains(&ended.code().unwrap())), "{mode}");
        let numbers = numbers(&s3, "out/rows/");
        assert_eq!(numbers, (numbers[0]..numbers[0] + rows).collect::<Vec<u64>>(), "{mode}");
        assert_eq!(s3.unpublished("out/rows"), [""; 0]);
    }
}

#[test]
fn a_wrong_secret_is_an_auth_error_and_a_missing_bucket_a_config_error() {
    let s3 = S3::start();
    let output = |bucket: &str| small("local[1]").option("--output", format!("s3://{bucket}/rows"));
    s3.tell_with(output(BUCKET), "wrong").run().fails(77, "auth", &["no permission", "s3://bucket/rows"]);
    s3.tell(output("missing")).run().fails(78, "config", &["s3://missing/rows"]);
    s3.tell(small("local[1]").option("--output", format!("s3://{BUCKET}"))).run().fails(
        78,
        "config",
        &["an output cannot be a whole bucket"],
    );
}
