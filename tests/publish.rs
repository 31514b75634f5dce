//! Publishing is atomic, and publishes the same bytes in every cluster, also while other jobs publish.

#![allow(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

#[path = "support/folder.rs"]
mod folder;
#[path = "support/job.rs"]
mod job;
#[path = "support/processes.rs"]
mod processes;
#[path = "support/table.rs"]
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use job::{EVERYWHERE, EXECUTORS, Job};

/// The clusters in which the same rows must give the same files.
const CLUSTERS: [&str; 4] = ["local[1]", "local[2]", "local[3]", EXECUTORS];

#[test]
fn word_count_publishes_columns_word_and_count_with_the_right_counts() {
    for cluster in EVERYWHERE {
        let place = tempfile::tempdir().unwrap();
        let text = novel();
        fs::write(place.path().join("novel.txt"), &text).unwrap();
        let output = place.path().join("words");
        let ended = word_count(cluster, &place.path().join("novel.txt"), &output).run().ok();

        let mut expected = BTreeMap::new();
        text.split_whitespace().for_each(|word| *expected.entry(word.to_owned()).or_insert(0) += 1);
        assert_eq!(table::columns(&output), ["word", "count"]);
        assert_eq!(table::word_counts(&output), expected);
        assert_eq!(ended.json()["outputs"][0]["rows"], expected.len());
        assert_eq!(ended.json()["outputs"][0]["uri"], format!("file://{}", output.display()));
        // `top` prints the same rows that are published.
        let first = ended.stdout.lines().next().unwrap_or_default();
        let most = expected.values().max().unwrap();
        assert_eq!(first.split_whitespace().next(), Some(most.to_string().as_str()));
    }
}

#[test]
fn the_same_rows_give_the_same_bytes_everywhere_and_every_time() {
    let place = tempfile::tempdir().unwrap();
    let (input, gate) = (place.path().join("novel.txt"), place.path().join("gate"));
    fs::write(&input, novel()).unwrap();
    fs::create_dir(&gate).unwrap();
    fs::write(gate.join("open"), "").unwrap();
    let mut seen: BTreeMap<&str, BTreeSet<BTreeMap<String, Vec<u8>>>> = BTreeMap::new();
    for (at, cluster) in CLUSTERS.into_iter().chain(["local[2]", EXECUTORS]).enumerate() {
        let output = |name: &str| place.path().join(format!("{name}-{at}"));
        let words = word_count(cluster, &input, &output("words"));
        let rows = small(cluster).option("--output", output("rows"));
        let count = |kind, name| {
            let job = Job::new(env!("CARGO_BIN_EXE_gated_words")).on(cluster).arg(kind);
            job.option("--output", output(name)).option("--gate", &gate)
        };
        let (merged, kept) = (count("merge", "merged"), count("twice", "kept"));
        for (name, job) in [("words", words), ("rows", rows), ("merged", merged), ("kept", kept)] {
            job.run().ok();
            seen.entry(name).or_default().insert(folder::files(&output(name)));
        }
    }
    let different: Vec<_> = seen.iter().map(|(name, outputs)| (*name, outputs.len())).collect();
    assert_eq!(different, [("kept", 1), ("merged", 1), ("rows", 1), ("words", 1)]);
    let files: Vec<_> = seen.values().map(|outputs| outputs.first().map_or(0, BTreeMap::len)).collect();
    assert_eq!(files, [4, 4, 6, 1]);
    assert_eq!(seen["kept"], seen["merged"], "`cache` leaves every row in its partition");
}

#[test]
fn a_reader_sees_nothing_or_all_files() {
    for cluster in EVERYWHERE {
        let place = tempfile::tempdir().unwrap();
        let target = place.path().join("rows");
        let done = AtomicBool::new(false);
        let seen = std::thread::scope(|scope| {
            let reader = scope.spawn(|| watch(&target, &done));
            let job = small(cluster).option("--rows", "60000").option("--partitions", "24");
            job.option("--output", &target).run().ok();
            done.store(true, Ordering::SeqCst);
            reader.join().unwrap()
        });
        assert_eq!(seen.len(), 1, "one sight of the output beside none: {:?}", seen.keys());
        let whole = folder::files(&target);
        assert_eq!(seen.into_iter().next(), Some((whole.keys().cloned().collect(), whole)));
        assert_eq!(table::numbers(&target), (0..60_000).collect::<Vec<u64>>());
    }
}

#[test]
fn of_two_jobs_that_publish_to_one_place_one_wins_and_keeps_all() {
    for cluster in EVERYWHERE {
        let (place, gates) = (tempfile::tempdir().unwrap(), [(); 2].map(|()| tempfile::tempdir().unwrap()));
        let target = place.path().join("made/rows");
        let rivals = [1000, 2000].map(|offset: u64| {
            let gate = gates[(offset / 1000 - 1) as usize].path();
            let job = small(cluster).option("--offset", offset.to_string()).option("--gate", gate);
            (offset, job.option("--output", &target).start())
        });
        // Both have started before either can finish.
        gates.iter().for_each(|gate| folder::wait_for(gate.path(), "waits-", 1));
        gates.iter().for_each(|gate| fs::write(gate.path().join("open"), "").unwrap());

        let ended = rivals.map(|(offset, running)| (offset, running.wait()));
        let (won, lost): (Vec<_>, Vec<_>) = ended.into_iter().partition(|(_, ended)| ended.code() == Some(0));
        assert_eq!(
            (won.len(), lost.len()),
            (1, 1),
            "{}",
            lost.iter().map(|(_, e)| e.stderr.as_str()).collect::<String>()
        );
        lost[0].1.fails(78, "config", &["the output exists", &target.display().to_string()]);
        let offset = won[0].0;
        assert_eq!(table::numbers(&target), (offset..offset + 600).collect::<Vec<u64>>());
        assert_eq!(folder::data(place.path()).len(), 2 + 6, "two folders and the winner's files");
    }
}

#[test]
fn jobs_that_publish_beside_each_other_do_not_disturb_each_other() {
    for round in 0..5 {
        let place = tempfile::tempdir().unwrap();
        let output = |n: u64| place.path().join(format!("deep/rows-{n}"));
        let jobs = [0, 1, 2, 3].map(|n| {
            let job = small("local[1]").option("--rows", "6").option("--offset", n.to_string());
            (n, job.option("--output", output(n)).start())
        });
        for (n, job) in jobs {
            job.wait().ok();
            assert_eq!(table::numbers(&output(n)), (n..n + 6).collect::<Vec<u64>>(), "round {round}");
        }
        assert_eq!(folder::data(place.path()).len(), 1 + 4 * 7, "a folder and four outputs");
    }
}

#[test]
fn a_failed_job_leaves_neither_output_nor_stage_nor_new_folders() {
    for cluster in EVERYWHERE {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir(place.path().join("mine")).unwrap();
        let output = place.path().join("mine/new/newer/rows");
        let job = Job::new(env!("CARGO_BIN_EXE_faulty")).on(cluster).arg("panics").option("--output", output);
        job.run().exits(70);
        assert_eq!(folder::tree(place.path()), ["mine"].map(PathBuf::from));
    }
}

#[test]
fn an_output_without_rows_is_published_with_its_columns() {
    for cluster in EVERYWHERE {
        let place = tempfile::tempdir().unwrap();
        let (input, output) = (place.path().join("empty.txt"), place.path().join("words"));
        fs::write(&input, "").unwrap();
        let ended = word_count(cluster, &input, &output).run().ok();
        assert_eq!(ended.json()["outputs"][0]["rows"], 0);
        assert_eq!(folder::files(&output).len(), 1);
        assert_eq!(table::word_counts(&output), BTreeMap::new());
    }
}

#[test]
fn a_file_url_and_a_relative_path_name_the_same_kind_of_place() {
    let place = tempfile::tempdir().unwrap();
    let target = place.path().join("with blank/rows");
    let url = format!("file://{}/with%20blank/rows", place.path().display());
    let ended = small("local[1]").option("--output", &url).run().ok();
    assert_eq!(ended.json()["outputs"][0]["uri"], url.as_str());
    assert_eq!(folder::files(&target).len(), 6);
    // The job's own folder no longer exists; the address that it reports is absolute.
    let relative = small("local[1]").option("--output", "rows").run().ok();
    let uri = relative.json()["outputs"][0]["uri"].as_str().unwrap().to_owned();
    assert!(uri.starts_with("file:///") && uri.ends_with("/rows"), "{uri}");
}

/// All sets of files that are visible at `target` until `done`, with their contents.
fn watch(target: &Path, done: &AtomicBool) -> BTreeMap<BTreeSet<String>, BTreeMap<String, Vec<u8>>> {
    let mut seen = BTreeMap::new();
    while !done.load(Ordering::SeqCst) {
        let Ok(entries) = fs::read_dir(target) else { continue };
        let names: BTreeSet<String> = entries
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .filter(|n| n != "_SUCCESS")
            .collect();
        // Visible files must be readable at once.
        seen.entry(names).or_insert_with(|| folder::files(target));
    }
    seen
}

fn small(cluster: &str) -> Job {
    Job::new(env!("CARGO_BIN_EXE_small")).on(cluster)
}

fn word_count(cluster: &str, input: &Path, output: &Path) -> Job {
    Job::new(env!("CARGO_BIN_EXE_word_count")).on(cluster).option("--input", input).option("--output", output)
}

/// A text of some thousand different words, the same in every run.
fn novel() -> String {
    let word = |n: u64| format!("w{}", n.wrapping_mul(n).wrapping_mul(0x9e37_79b9) >> 7 & 0xfff);
    (0..60_000).map(|n| word(n) + if n % 11 == 0 { "\n" } else { " " }).collect()
}
