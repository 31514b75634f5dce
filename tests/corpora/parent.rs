//! Runs a separate process for every file of the corpora and checks its outcome.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::thread::{available_parallelism, scope, sleep};
use std::time::{Duration, Instant};

use crate::one_file::PEAK;
use crate::tally::{Attempt, Outcome, ReadFile, Tally};

/// Environment variable with the file that a process must read.
pub(crate) const FILE: &str = "KILN_CORPORA_FILE";
/// Environment variable with the folder of the corpora.
const FOLDER: &str = "KILN_CORPORA";
/// Required subfolders.
const CORPORA: [&str; 2] = ["parquet-testing", "arrow-testing"];
/// Time limit for reading one file in every way; most take a tenth of a second.
const LIMIT: Duration = Duration::from_secs(20);
/// Interval at which a process is checked.
const LOOK: Duration = Duration::from_millis(5);

/// Minimum numbers of decoded files and columns by format, so that a harness that reads nothing fails.
/// The corpora grow; these are slightly less than the numbers of November 2026.
const LEAST: [(&str, usize, usize); 4] =
    [("parquet", 200, 750), ("arrow", 140, 1200), ("csv", 90, 230), ("json", 80, 80)];

/// Reads all files and fails unless each has an accepted outcome.
pub(crate) fn run() {
    let files = files();
    let (queue, found) = (Mutex::new(files.iter()), Mutex::new((Tally::default(), 0)));
    scope(|scope| {
        for _ in 0..available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(file) = { queue.lock().unwrap().next() } {
                    let (read, faults) = judged(file);
                    faults.iter().for_each(|fault| println!("FAULT {}: {fault}", file.display()));
                    let mut found = found.lock().unwrap();
                    found.0.add(file, &read);
                    found.1 += faults.len();
                }
            });
        }
    });
    let (tally, faults) = found.into_inner().unwrap();
    println!("{tally}{} files read, {faults} faults", files.len());
    assert!(faults == 0, "not every file gave rows or an error of class data that names it");
    for (format, files, columns) in LEAST {
        let count = &tally.formats[format];
        assert!(count.decoded >= files && count.columns >= columns, "too little of {format} was decoded");
    }
}

/// All files of the corpora, sorted by name.
fn files() -> Vec<PathBuf> {
    let folder = std::env::var_os(FOLDER).map(PathBuf::from);
    let mut files = Vec::new();
    for corpus in CORPORA {
        let place = folder.as_ref().map(|folder| folder.join(corpus)).filter(|place| place.is_dir());
        let Some(place) = place else {
            panic!(
                "{FOLDER} names no folder that holds {corpus}; get it by\n  \
                 git clone https://github.com/apache/{corpus} FOLDER/{corpus}\n\
                 and set {FOLDER}=FOLDER"
            );
        };
        collect(&place.canonicalize().unwrap(), &mut files);
    }
    files.sort();
    files
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let is_hidden = path.file_name().unwrap().to_string_lossy().starts_with('.');
        match (is_hidden, path.is_dir()) {
            (true, _) => {}
            (false, true) => collect(&path, files),
            (false, false) => files.push(path),
        }
    }
}

/// The outcome of a process for `file`, and the problems with it.
fn judged(file: &Path) -> (ReadFile, Vec<String>) {
    let desk = tempfile::tempdir().unwrap();
    let (ended, took) = child(file, desk.path());
    let text = |name: &str| String::from_utf8_lossy(&fs::read(desk.path().join(name)).unwrap()).into_owned();
    let (stdout, stderr) = (text("stdout"), text("stderr"));
    let attempts: Vec<Attempt> = stdout.lines().filter_map(Attempt::from_line).collect();
    let peak = stdout.lines().last().and_then(|line| line.strip_prefix(PEAK)?.parse().ok());
    let mut faults: Vec<String> = Vec::new();
    for Attempt { format, outcome, .. } in &attempts {
        if let Outcome::Wrong(text) = outcome {
            faults.push(format!("as {format}: {text}"));
        }
    }
    let last = attempts.last().map_or("nothing".to_owned(), Attempt::to_line);
    match ended {
        None => faults.push(format!("not done after {took:?}; the last was {last}")),
        Some(status) if !status.success() || peak.is_none() => faults
            .push(format!("the process ended by {status}, said `{}`; the last was {last}", stderr.trim())),
        Some(_) if stderr.contains("panicked") => faults.push(format!("a panic was seen: {}", stderr.trim())),
        Some(_) => {}
    }
    (ReadFile { attempts, took, peak_kib: peak.unwrap_or(0) }, faults)
}

/// Runs this program for `file`; the status is `None` if it had to be killed.
fn child(file: &Path, desk: &Path) -> (Option<ExitStatus>, Duration) {
    let stream = |name: &str| Stdio::from(File::create(desk.join(name)).unwrap());
    let mut child = Command::new(std::env::current_exe().unwrap())
        .env_clear()
        .env(FILE, file)
        .env("KILN_CLUSTER", "local[1]")
        .env("KILN_MEMORY", "64MB")
        .env("KILN_TMP", desk)
        // Each arena takes 64 MiB of the limited address space.
        .env("MALLOC_ARENA_MAX", "2")
        .stdin(Stdio::null())
        .stdout(stream("stdout"))
        .stderr(stream("stderr"))
        .spawn()
        .unwrap();
    let started = Instant::now();
    while started.elapsed() < LIMIT {
        if let Some(status) = child.try_wait().unwrap() {
            return (Some(status), started.elapsed());
        }
        sleep(LOOK);
    }
    child.kill().unwrap();
    child.wait().unwrap();
    (None, started.elapsed())
}
