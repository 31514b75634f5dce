//! Runs the examples as processes: they must give the same bytes in every cluster, and the results of a
//! simple loop.
//!
//! Each reads files of the test, prints, and publishes Parquet. Both outputs must be the same bytes in
//! one process, on any number of slots, and on two executor processes. The inputs are many small files,
//! so that several tasks read them and sums of floats cross tasks.

#![allow(clippy::unwrap_used, reason = "a test fails by it, also in its support functions")]

#[path = "examples/documents.rs"]
mod documents;
#[path = "examples/file_packer.rs"]
mod file_packer;
#[path = "examples/first_lines.rs"]
mod first_lines;
#[path = "support/folder.rs"]
mod folder;
#[path = "support/job.rs"]
mod job;
#[path = "examples/log_etl.rs"]
mod log_etl;
#[path = "support/processes.rs"]
mod processes;
#[path = "semantics/random.rs"]
#[allow(dead_code, reason = "the random rows of another test")]
mod random;
#[path = "examples/sales_weather_join.rs"]
mod sales_weather_join;
#[path = "support/table.rs"]
mod table;

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;
use std::process::Command;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float64Type};
use job::{Ended, Job};
use random::Random;
use tempfile::TempDir;

const WORD_COUNT: &str = env!("CARGO_BIN_EXE_word_count");
const PAGE_RANK: &str = env!("CARGO_BIN_EXE_page_rank");
const K_MEANS: &str = env!("CARGO_BIN_EXE_k_means");

/// The clusters in which an example runs; `None` leaves `KILN_CLUSTER` unset.
const PLACES: [Option<&str>; 4] = [None, Some("local[1]"), Some("local[2]"), Some("local-cluster[2,1]")];
/// Tolerance for floats, because the loop adds in another order.
const TOLERANCE: f64 = 1e-9;

/// The outputs of an example.
struct Given {
    stdout: String,
    output: TempDir,
}

#[test]
fn word_count_gives_the_same_bytes_everywhere_and_counts_as_a_hash_map_does() {
    let input = TempDir::new().unwrap();
    let lines = Random::new(3).rows(4000, |r| format!("{} {}", r.line(), r.string()));
    // The spaces are cheap to read and make the input large enough for two partitions.
    let texts = lines.chunks(200).map(|chunk| chunk.join("\n") + &" ".repeat(2 << 20) + "\n");
    write_files(input.path(), texts);

    let given =
        same_everywhere(|| Job::new(WORD_COUNT).option("--input", glob(&input)).option("--top", "1000000"));
    let mut counts = HashMap::<&str, u64>::new();
    lines
        .iter()
        .flat_map(|line| line.split_whitespace())
        .for_each(|word| *counts.entry(word).or_default() += 1);
    let counts: BTreeMap<String, u64> = counts.into_iter().map(|(word, n)| (word.to_owned(), n)).collect();
    assert_eq!(table::word_counts(given.output.path()), counts);
    assert_eq!(folder::files(given.output.path()).len(), 2, "files of the output");

    let printed = given.stdout.lines().filter_map(|line| line.trim_start().split_once("  "));
    let printed: Vec<(u64, &str)> = printed.map(|(count, word)| (count.parse().unwrap(), word)).collect();
    assert!(printed.is_sorted_by(|a, b| a.0 >= b.0), "the most frequent words come first");
    assert_eq!(printed.into_iter().map(|(n, word)| (word.to_owned(), n)).collect::<BTreeMap<_, _>>(), counts);
}

#[test]
fn word_count_without_arguments_counts_this_repository_publishes_and_says_where() {
    let folder = TempDir::new().unwrap();
    for _ in 0..2 {
        // A second run replaces the demo's output.
        let run =
            Command::new(WORD_COUNT).env_remove("KILN_CLUSTER").current_dir(folder.path()).output().unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        let stdout = String::from_utf8(run.stdout).unwrap();
        let (words, last) = stdout.trim_end().rsplit_once('\n').unwrap();
        assert_eq!(last, "published to out/word_count");
        let counts = table::word_counts(&folder.path().join("out/word_count"));
        assert!(counts["fn"] > 100, "Rust sources have functions");
        assert_eq!(words.lines().count(), 10);
        for line in words.lines() {
            let (count, word) = line.trim_start().split_once("  ").unwrap();
            assert_eq!(counts[word].to_string(), count, "{word}");
        }
    }
}

#[test]
fn word_count_with_an_input_alone_prints_and_publishes_nothing() {
    for place in PLACES {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("a.txt"), "b a b\nb a c\n").unwrap();
        let mut command = Command::new(WORD_COUNT);
        command
            .args(["--input", "a.txt", "--top", "2"])
            .current_dir(folder.path())
            .env_remove("KILN_CLUSTER");
        let run = command.envs(place.map(|place| ("KILN_CLUSTER", place))).output().unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        assert_eq!(String::from_utf8_lossy(&run.stdout), "         3  b\n         2  a\n");
        assert_eq!(folder::tree(folder.path()), [Path::new("a.txt")]);
    }
}

#[test]
fn page_rank_gives_the_same_bytes_everywhere_and_the_ranks_of_a_loop() {
    let input = TempDir::new().unwrap();
    let mut random = Random::new(5);
    // Pages from 200 on have no outgoing links; some links are repeated.
    let links = random.rows(3000, |r| (r.below(200), r.below(15) * r.below(15)));
    write_pairs(input.path(), &links);

    let given =
        same_everywhere(|| Job::new(PAGE_RANK).option("--input", glob(&input)).option("--rounds", "6"));
    let expected = ranks(&links, 6);
    let found = page_ranks(given.output.path());
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    expected.iter().for_each(|(page, rank)| assert_near(found[page], *rank, &format!("page {page}")));
    assert_near(found.values().sum(), 1.0, "the sum of all ranks");

    let mut best: Vec<(u64, f64)> = expected.into_iter().collect();
    best.sort_by(|a, b| b.1.total_cmp(&a.1));
    let printed = given.stdout.lines().map(|line| line.split_whitespace().next().unwrap().parse().unwrap());
    assert_eq!(printed.collect::<Vec<u64>>(), best[..10].iter().map(|(page, _)| *page).collect::<Vec<_>>());
}

#[test]
fn k_means_gives_the_same_bytes_everywhere_and_the_centres_of_a_loop() {
    let input = TempDir::new().unwrap();
    let mut random = Random::new(7);
    let number = |r: &mut Random| (r.around_zero(50) * 10 + r.around_zero(9)) as f64 / 7.0;
    let points = random.rows(3000, |r| (number(r), number(r)));
    write_pairs(input.path(), &points);

    let given = same_everywhere(|| {
        Job::new(K_MEANS).option("--input", glob(&input)).option("--k", "5").option("--rounds", "7")
    });
    let expected = centres(&points, 5, 7);
    let columns = float_columns(given.output.path(), ["x", "y"]);
    assert_eq!(columns[0].len(), expected.len());
    for (at, (x, y)) in expected.iter().enumerate() {
        assert_near(columns[0][at], *x, &format!("x of centre {at}"));
        assert_near(columns[1][at], *y, &format!("y of centre {at}"));
    }
    let printed: String = expected.iter().map(|(x, y)| format!("{x:>12.6} {y:>12.6}\n")).collect();
    assert_eq!(given.stdout, printed);
}

/// Without an input, each example generates the same input everywhere.
#[test]
fn generated_inputs_give_the_same_bytes_everywhere() {
    same_everywhere(|| Job::new(PAGE_RANK).option("--rounds", "2"));
    same_everywhere(|| Job::new(K_MEANS).option("--rounds", "2"));
}

/// Computes ranks as `examples/page_rank.rs` does, with loops.
fn ranks(links: &[(u64, u64)], rounds: usize) -> BTreeMap<u64, f64> {
    let pages: BTreeMap<u64, f64> = links.iter().flat_map(|(from, to)| [(*from, 0.0), (*to, 0.0)]).collect();
    let count = pages.len() as f64;
    let mut degrees = BTreeMap::<u64, f64>::new();
    links.iter().for_each(|(from, _)| *degrees.entry(*from).or_default() += 1.0);
    let mut ranks: BTreeMap<u64, f64> = pages.keys().map(|page| (*page, 1.0 / count)).collect();
    for _ in 0..rounds {
        let dangling: f64 =
            ranks.iter().filter(|(page, _)| !degrees.contains_key(page)).map(|(_, rank)| rank).sum();
        let mut flow = pages.clone();
        links.iter().for_each(|(from, to)| *flow.get_mut(to).unwrap() += ranks[from] / degrees[from]);
        let rank = |flow: f64| 0.15 / count + 0.85 * (flow + dangling / count);
        ranks = flow.into_iter().map(|(page, flow)| (page, rank(flow))).collect();
    }
    ranks
}

/// Computes centres as `examples/k_means.rs` does, with loops.
fn centres(points: &[(f64, f64)], k: usize, rounds: usize) -> Vec<(f64, f64)> {
    let mut centres = points[..k].to_vec();
    for _ in 0..rounds {
        let mut sums = vec![(0.0, 0.0, 0.0); k];
        for (x, y) in points {
            let distance = |i: usize| (centres[i].0 - x).powi(2) + (centres[i].1 - y).powi(2);
            // The first one in a tie.
            let nearest = (1..k).fold(0, |best, i| if distance(i) < distance(best) { i } else { best });
            let sum = &mut sums[nearest];
            *sum = (sum.0 + x, sum.1 + y, sum.2 + 1.0);
        }
        let moved =
            |(i, (x, y, n)): (usize, (f64, f64, f64))| if n > 0.0 { (x / n, y / n) } else { centres[i] };
        centres = sums.into_iter().enumerate().map(moved).collect();
    }
    centres
}

/// Runs the job in every cluster with separate outputs. What it prints and publishes must be the same
/// bytes.
#[track_caller]
fn same_everywhere(example: impl Fn() -> Job) -> Given {
    let mut first: Option<Given> = None;
    for place in PLACES {
        let parent = TempDir::new().unwrap();
        let path = parent.path().join("output");
        let job = example().option("--output", &path);
        let job = if let Some(place) = place { job.on(place) } else { job };
        let Ended { stdout, .. } = job.run().ok();
        let output = TempDir::new().unwrap();
        folder::files(&path)
            .into_iter()
            .for_each(|(name, bytes)| fs::write(output.path().join(name), bytes).unwrap());
        // Only the path of the output differs between the runs.
        let given = Given { stdout: stdout.replace(&*path.to_string_lossy(), "OUTPUT"), output };
        match &first {
            None => first = Some(given),
            Some(first) => {
                assert_eq!(given.stdout, first.stdout, "{place:?}");
                assert!(
                    folder::files(given.output.path()) == folder::files(first.output.path()),
                    "{place:?}: files differ"
                );
            }
        }
    }
    first.unwrap()
}

/// Runs the job in one process and on two executors, each in a separate folder. What it prints and the
/// files in the folder must be the same. Returns the folder and outcome of the last run.
#[track_caller]
fn same_files_everywhere(example: impl Fn(&Path) -> Job) -> (TempDir, Ended) {
    let runs = job::EVERYWHERE.map(|place| {
        let folder = TempDir::new().unwrap();
        let ended = example(folder.path()).on(place).run().ok();
        let stdout = ended.stdout.replace(&*folder.path().to_string_lossy(), "FOLDER");
        (stdout, files_below(folder.path()), folder, ended)
    });
    let [(first_stdout, first_files, ..), (stdout, files, folder, ended)] = runs;
    assert_eq!(stdout, first_stdout);
    assert!(files == first_files, "{:?}\n{:?}", files.keys(), first_files.keys());
    (folder, ended)
}

/// The bytes of all files below a folder, by path without the run's suffix.
fn files_below(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let paths = folder::data(folder).into_iter().filter(|path| folder.join(path).is_file());
    paths.map(|path| (name_in_any_run(&path), fs::read(folder.join(&path)).unwrap())).collect()
}

/// `day=1/part-00000-5aadaa96.parquet` without the run's `-5aadaa96`.
fn name_in_any_run(path: &Path) -> String {
    let path = path.display().to_string();
    let (name, ending) = path.rsplit_once('.').unwrap();
    match name.rsplit_once('-') {
        Some((part, run)) if run.len() == 8 => format!("{part}.{ending}"),
        _ => path,
    }
}

/// The column `name` of a batch as strings; `None` for a null.
fn texts(batch: &RecordBatch, name: &str) -> Vec<Option<String>> {
    let column = arrow::compute::cast(batch.column_by_name(name).unwrap(), &DataType::Utf8).unwrap();
    column.as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect()
}

fn glob(folder: &TempDir) -> String {
    folder.path().join("*.txt").to_string_lossy().into_owned()
}

/// Writes a file for each text.
fn write_files(folder: &Path, texts: impl IntoIterator<Item = String>) {
    let write = |(at, text)| fs::write(folder.join(format!("{at:03}.txt")), text).unwrap();
    texts.into_iter().enumerate().for_each(write);
}

/// Writes twenty files with one pair per line, and some lines without a pair.
fn write_pairs<T: std::fmt::Display>(folder: &Path, pairs: &[(T, T)]) {
    let text =
        |chunk: &[(T, T)]| chunk.iter().map(|(a, b)| format!("{a} {b}\n")).collect::<String>() + "no pair\n";
    write_files(folder, pairs.chunks(pairs.len().div_ceil(20)).map(text));
}

fn page_ranks(output: &Path) -> BTreeMap<u64, f64> {
    let mut ranks = BTreeMap::new();
    for batch in table::batches(output) {
        let pages =
            batch.column_by_name("page").unwrap().as_primitive::<arrow::datatypes::UInt64Type>().clone();
        let values = batch.column_by_name("rank").unwrap().as_primitive::<Float64Type>().clone();
        ranks.extend(pages.values().iter().copied().zip(values.values().iter().copied()));
    }
    ranks
}

fn float_columns<const N: usize>(output: &Path, names: [&str; N]) -> [Vec<f64>; N] {
    let batches = table::batches(output);
    let values = |name| {
        batches.iter().flat_map(move |b| {
            b.column_by_name(name).unwrap().as_primitive::<Float64Type>().values().to_vec()
        })
    };
    names.map(|name| values(name).collect())
}

#[track_caller]
fn assert_near(found: f64, expected: f64, what: &str) {
    assert!((found - expected).abs() <= TOLERANCE, "{what} is {found}, expected {expected}");
}
