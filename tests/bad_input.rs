//! An error in a job's input, output, code or environment is reported once, clearly, and with the exit
//! code of its class.
//!
//! Every case runs a real job binary, in one process and with executors, and leaves no output.

#![allow(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

#[path = "support/folder.rs"]
mod folder;
#[path = "support/job.rs"]
mod job;
#[path = "support/processes.rs"]
mod processes;

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use flate2::{Compression, write::GzEncoder};
use job::{EVERYWHERE, EXECUTORS, Ended, Job};
use tempfile::TempDir;

#[test]
fn a_missing_file_is_a_config_error_that_names_it() {
    check(|place| {
        let missing = place.join("data/no-such.txt");
        fs::create_dir(place.join("data")).unwrap();
        Case {
            input: missing.display().to_string(),
            code: 78,
            class: "config",
            words: vec![
                "no such file".to_owned(),
                missing.display().to_string(),
                format!("the nearest existing parent is {}", place.join("data").display()),
            ],
        }
    });
}

#[test]
fn a_pattern_without_a_match_is_a_config_error_that_names_it() {
    check(|place| {
        fs::write(place.join("a.csv"), "a").unwrap();
        let pattern = place.join("*.txt").display().to_string();
        Case {
            code: 78,
            class: "config",
            words: vec!["no file matches".to_owned(), pattern.clone()],
            input: pattern,
        }
    });
}

#[test]
fn a_file_without_permission_is_an_auth_error_that_names_it() {
    check_as_nobody(|place| {
        let secret = place.join("secret.txt");
        fs::write(&secret, "a").unwrap();
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o000)).unwrap();
        let name = secret.display().to_string();
        Case {
            code: 77,
            class: "auth",
            words: vec![name.clone(), "ermission denied".to_owned()],
            input: name,
        }
    });
}

#[test]
fn a_file_without_permission_among_others_is_an_auth_error_too() {
    check_as_nobody(|place| {
        fs::write(place.join("a.txt"), "a").unwrap();
        let secret = place.join("b.txt");
        fs::write(&secret, "a").unwrap();
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o000)).unwrap();
        let (pattern, name) = (place.join("*.txt").display().to_string(), secret.display().to_string());
        Case { input: pattern, code: 77, class: "auth", words: vec![name, "ermission denied".to_owned()] }
    });
}

#[test]
fn a_folder_without_permission_is_an_auth_error_that_names_it() {
    check_as_nobody(|place| {
        let closed = place.join("closed");
        fs::create_dir(&closed).unwrap();
        fs::write(closed.join("a.txt"), "a").unwrap();
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
        let name = closed.display().to_string();
        Case {
            code: 77,
            class: "auth",
            words: vec![name.clone(), "ermission denied".to_owned()],
            input: name,
        }
    });
}

#[test]
fn an_output_folder_without_permission_is_an_auth_error_that_names_it() {
    for cluster in EVERYWHERE {
        let place = place();
        let closed = place.path().join("closed");
        fs::create_dir(&closed).unwrap();
        let output = closed.join("words");
        fs::write(place.path().join("a.txt"), "a").unwrap();
        let job = word_count(cluster).option("--input", place.path().join("a.txt"));
        let ended = job.option("--output", &output).by_nobody().run();
        ended.fails(77, "auth", &[&closed.display().to_string(), "ermission denied"]);
        assert_eq!(folder::tree(&closed), Vec::<std::path::PathBuf>::new());
    }
}

#[test]
fn half_a_gzip_file_is_a_data_error_that_names_the_file() {
    check(|place| {
        let (whole, half) = (gzip(&"some words\n".repeat(10_000)), place.join("half.txt.gz"));
        fs::write(&half, &whole[..whole.len() / 2]).unwrap();
        let name = half.display().to_string();
        Case {
            code: 65,
            class: "data",
            words: vec!["the gzip stream ends early".to_owned(), name.clone()],
            input: name,
        }
    });
}

#[test]
fn a_line_of_200_mb_is_a_data_error_that_names_the_limit() {
    check(|place| {
        let long = place.join("long.txt.gz");
        let mut file = GzEncoder::new(fs::File::create(&long).unwrap(), Compression::fast());
        file.write_all(b"short\n").unwrap();
        (0..200).for_each(|_| file.write_all(&[b'a'; 1_000_000]).unwrap());
        file.finish().unwrap();
        let name = long.display().to_string();
        let words =
            vec!["a line is longer than 64 MiB".to_owned(), "decompressed byte 6".to_owned(), name.clone()];
        Case { input: name, code: 65, class: "data", words }
    });
}

#[test]
fn a_line_of_200_mb_that_lies_across_splits_is_a_data_error_too() {
    let place = place();
    let long = place.path().join("long.txt");
    let mut file = fs::File::create(&long).unwrap();
    file.write_all(b"short\n").unwrap();
    (0..200).for_each(|_| file.write_all(&[b'a'; 1_000_000]).unwrap());
    drop(file);
    let ended = word_count(EXECUTORS).option("--input", &long).run();
    ended.fails(65, "data", &["a line is longer than 64 MiB", "byte 6", &long.display().to_string()]);
}

#[test]
fn invalid_utf8_is_a_data_error_that_names_file_and_byte() {
    check(|place| {
        let mut text = "some words\n".repeat(100_000).into_bytes();
        text[777_777] = 0xff;
        let broken = place.join("broken.txt");
        fs::write(&broken, text).unwrap();
        let name = broken.display().to_string();
        let words = vec!["invalid UTF-8".to_owned(), format!("file {name}"), "byte 777777".to_owned()];
        Case { input: name, code: 65, class: "data", words }
    });
}

#[test]
fn a_panic_in_a_closure_is_a_bug_at_the_line_of_the_closure() {
    for cluster in EVERYWHERE {
        let place = place();
        let output = place.path().join("rows");
        let ended = faulty(cluster).arg("panics").option("--output", &output).run();
        let at = format!("tests/jobs/faulty.rs:{}", line_of("// the fault"));
        ended.fails(70, "bug", &["the job panicked: no luck with 250", &at]);
        assert_eq!(folder::tree(place.path()), Vec::<std::path::PathBuf>::new());
    }
}

#[test]
fn a_panic_in_a_closure_fails_its_action_and_nothing_else() {
    for cluster in EVERYWHERE {
        let place = place();
        let output = place.path().join("rows");
        let ended = faulty(cluster).arg("panics").arg("--go-on").option("--output", &output).run().ok();
        let lines: Vec<&str> = ended.stdout.lines().collect();
        assert!(lines[0].starts_with("bug: the job panicked: no luck with 250"), "{}", lines[0]);
        assert_eq!(lines[1], "same processes: true");
        assert_eq!(ended.json()["outputs"][0]["rows"], 400);
        assert!(!ended.stderr.contains("panicked at"), "{}", ended.stderr);
    }
}

#[test]
fn an_output_that_exists_is_a_config_error_and_stays_as_it_is() {
    for cluster in EVERYWHERE {
        let place = place();
        let (input, output) = (place.path().join("a.txt"), place.path().join("words"));
        fs::write(&input, "a b a").unwrap();
        fs::create_dir(&output).unwrap();
        fs::write(output.join("part-00000.parquet"), "precious").unwrap();
        let job = word_count(cluster).option("--input", &input).option("--output", &output);
        job.run().fails(
            78,
            "config",
            &["the output exists", &output.display().to_string(), "choose another place"],
        );
        assert_eq!(folder::files(&output)["part-00000.parquet"], b"precious");
        assert_eq!(folder::tree(place.path()).len(), 3);
    }
}

#[test]
fn a_malformed_cluster_is_a_config_error_that_quotes_it() {
    for cluster in ["lokal", "local[0]", "local-cluster[2]", "local-cluster[2,x]", "agents:host:1"] {
        let ended = Job::new(env!("CARGO_BIN_EXE_small")).on(cluster).run();
        ended.fails(78, "config", &["KILN_CLUSTER", &format!("`{cluster}`"), "local-cluster[E,S]"]);
        assert_eq!(ended.stdout, "", "nothing ran");
    }
}

#[test]
fn a_wrong_command_line_is_a_usage_error() {
    for cluster in EVERYWHERE {
        let ended = word_count(cluster).arg("--inptu").run();
        ended.exits(64);
        assert!(ended.stderr.starts_with("error: unexpected argument '--inptu' found"), "{}", ended.stderr);
        assert_eq!(ended.json()["class"], "usage");
        assert_eq!(ended.json()["status"], "failed");
    }
}

#[test]
fn undeclared_captures_are_one_warning_in_one_process() {
    let case = Captures::new("the cat\nthe catalogue\na dog\n");
    let ended = case.job("local[2]").run().ok();
    let warnings: Vec<&str> = ended.stderr.lines().filter(|line| line.contains("WARN")).collect();
    assert_eq!(warnings.len(), 1, "{}", ended.stderr);
    for named in Captures::named() {
        assert!(warnings[0].contains(&named), "`{named}` is not in `{}`", warnings[0]);
    }
    assert!(ended.stderr.contains("cx.share"), "{}", ended.stderr);
    assert_eq!(ended.json()["outputs"][0]["rows"], 2);
}

#[test]
fn undeclared_captures_are_refused_before_anything_is_read() {
    // If this text were read, the job would fail with another error.
    let case = Captures::new([0xffu8; 100]);
    let strict = case.job("local[2]").env("KILN_STRICT", "1");
    for job in [strict, case.job(EXECUTORS)] {
        let named = Captures::named();
        let ended = job.run();
        ended.fails(78, "config", &["cannot run on executors", &named[0], &named[1], "cx.share"]);
        assert_eq!(folder::tree(case.place.path()), ["text.txt"].map(std::path::PathBuf::from));
    }
    let read = case.job(EXECUTORS).arg("--declared").run();
    read.fails(65, "data", &["invalid UTF-8"]);
}

#[test]
fn declared_values_are_right_everywhere_and_warned_about_nowhere() {
    for cluster in EVERYWHERE {
        let case = Captures::new("the cat\nthe catalogue\na dog\n");
        let ended = case.job(cluster).arg("--declared").env("KILN_STRICT", "1").run().ok();
        assert_eq!(ended.json()["outputs"][0]["rows"], 2);
        assert!(!ended.stderr.contains("WARN"), "{}", ended.stderr);
    }
}

/// A job whose closures capture variables, and its input.
struct Captures {
    place: TempDir,
}

impl Captures {
    fn new(text: impl AsRef<[u8]>) -> Captures {
        let place = place();
        fs::write(place.path().join("text.txt"), text).unwrap();
        Captures { place }
    }

    fn job(&self, cluster: &str) -> Job {
        let job = faulty(cluster).arg("captures").option("--input", self.place.path().join("text.txt"));
        job.option("--output", self.place.path().join("lengths"))
    }

    /// The expected text about each closure, in the order of their lines.
    fn named() -> [String; 2] {
        [("filter", 24), ("map", 8)].map(|(operator, bytes)| {
            let line = line_of(&format!("// captures {bytes} bytes"));
            format!("tests/jobs/faulty.rs:{line}: the closure of `{operator}` captures {bytes} bytes")
        })
    }
}

/// An input and the expected parts of the error message.
struct Case {
    input: String,
    code: i32,
    class: &'static str,
    words: Vec<String>,
}

/// Counts the words of an input in every cluster; `prepare` writes the input to the given folder.
fn check(prepare: impl Fn(&Path) -> Case) {
    check_job(prepare, |job| job);
}

/// As [`check`], for a user who is subject to file permissions.
fn check_as_nobody(prepare: impl Fn(&Path) -> Case) {
    check_job(prepare, Job::by_nobody);
}

fn check_job(prepare: impl Fn(&Path) -> Case, user: impl Fn(Job) -> Job) {
    let (place, target) = (place(), place_for_all());
    let case = prepare(place.path());
    for cluster in EVERYWHERE {
        let job = word_count(cluster).option("--input", &case.input);
        let ended = user(job.option("--output", target.path().join("deep/words"))).run();
        let words: Vec<&str> = case.words.iter().map(String::as_str).collect();
        ended.fails(case.code, case.class, &words);
        assert_nothing_at(target.path(), &ended);
    }
}

fn assert_nothing_at(folder: &Path, ended: &Ended) {
    assert_eq!(folder::tree(folder), Vec::<std::path::PathBuf>::new(), "left behind:\n{}", ended.stderr);
}

fn word_count(cluster: &str) -> Job {
    Job::new(env!("CARGO_BIN_EXE_word_count")).on(cluster)
}

fn faulty(cluster: &str) -> Job {
    Job::new(env!("CARGO_BIN_EXE_faulty")).on(cluster)
}

/// A folder that every user may read.
fn place() -> TempDir {
    let place = tempfile::tempdir().unwrap();
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).unwrap();
    place
}

/// A folder that every user may write to.
fn place_for_all() -> TempDir {
    let place = tempfile::tempdir().unwrap();
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o777)).unwrap();
    place
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// The line of `jobs/faulty.rs` that ends with `mark`.
fn line_of(mark: &str) -> usize {
    1 + include_str!("jobs/faulty.rs").lines().position(|line| line.ends_with(mark)).unwrap()
}
