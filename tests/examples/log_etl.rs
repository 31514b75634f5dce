//! `log_etl`: every line is output once, as a request of its day or as a reject, and a day can be
//! processed again.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::job::Job;
use super::{files_below, same_files_everywhere, table, texts};
use tempfile::TempDir;

const LOG_ETL: &str = env!("CARGO_BIN_EXE_log_etl");

/// Two lines for each of three days in UTC; the second one has another day in its local time.
const GOOD: [(&str, &str); 6] = [
    ("2026-02-28", r#"192.0.2.1 - - [28/Feb/2026:23:59:59 +0000] "GET / HTTP/1.1" 200 2326 "-" "curl/8""#),
    (
        "2026-02-28",
        r#"::1 - ann [01/Mar/2026:00:30:00 +0200] "POST /a b HTTP/1.0" 500 - "http://x/" "a \"b\" c""#,
    ),
    (
        "2026-03-01",
        r#"192.0.2.2 - - [01/Mar/2026:00:00:00 +0000] "HEAD /ä HTTP/2" 304 0 "http://x/?q=\"" "-""#,
    ),
    (
        "2026-03-01",
        r#"h - - [01/Mar/2026:12:00:00 +0000] "GET /big HTTP/1.1" 200 18446744073709551615 "-" "-""#,
    ),
    ("2026-03-02", r#"h - - [01/Mar/2026:17:00:00 -0700] "PUT /x HTTP/1.1" 201 7 "-" "z""#),
    ("2026-03-02", r#"h - - [02/Mar/2026:01:00:00 +0000] "DELETE /x HTTP/1.1" 204 - "-" "z""#),
];

/// Lines that are no requests, with the beginning of the reason.
const BAD: [(&str, &str); 10] = [
    ("", "the line ends before its host"),
    ("garbage", "the line ends before its identity"),
    (r#"h - - [02/Mar/2026:01:00:00 +0000 "GET / HTTP/1.1" 204 - "-" "z""#, "the line ends before its time"),
    (r#"h - - [31/Feb/2026:01:00:00 +0000] "GET / HTTP/1.1" 204 - "-" "z""#, "time: "),
    (r#"h - - [01/Mar/2026:25:00:00 +0000] "GET / HTTP/1.1" 204 - "-" "z""#, "time: "),
    (r#"h - - [01/Mar/2026:01:00:00 +0000] "BREW / HTTP/1.1" 204 - "-" "z""#, "method: there is no BREW"),
    (r#"h - - [01/Mar/2026:01:00:00 +0000] "GET / HTTP/1.1" 99999999999 - "-" "z""#, "status: "),
    (r#"h - - [01/Mar/2026:01:00:00 +0000] "GET / HTTP/1.1" 600 - "-" "z""#, "status: there is no 600"),
    (r#"h - - [01/Mar/2026:01:00:00 +0000] "GET / HTTP/1.1" 200 18446744073709551616 "-" "z""#, "bytes: "),
    (r#"h - - [01/Mar/2026:01:00:00 +0000] "GET / HTTP/1.1" 200 1 "-" "z"#, "the line ends before its agent"),
];

fn job(folder: &Path, input: &str) -> Job {
    let [output, rejects] = ["requests", "rejects"].map(|name| folder.join(name));
    Job::new(LOG_ETL).option("--input", input).option("--output", output).option("--rejects", rejects)
}

/// Writes three files of good and bad lines in turn.
fn write_logs(folder: &Path) -> String {
    let lines: Vec<&str> =
        GOOD.iter().map(|(_, line)| *line).chain(BAD.iter().map(|(line, _)| *line)).collect();
    for file in 0..3 {
        let text: String = lines.iter().skip(file).step_by(3).map(|line| format!("{line}\n")).collect();
        fs::write(folder.join(format!("{file}.log")), text).unwrap();
    }
    folder.join("*.log").display().to_string()
}

/// How often each request, as path and status, is in the folder of each day.
fn published(output: &Path) -> BTreeMap<(String, String, String), usize> {
    let mut found = BTreeMap::new();
    let days = fs::read_dir(output).unwrap().map(|entry| entry.unwrap());
    for day in days.filter(|day| day.path().is_dir()) {
        for batch in table::batches(&day.path()) {
            for (path, status) in texts(&batch, "path").into_iter().zip(texts(&batch, "status")) {
                let day = day.file_name().to_string_lossy().replace("day=", "");
                *found.entry((day, path.unwrap(), status.unwrap())).or_default() += 1;
            }
        }
    }
    found
}

#[test]
fn log_etl_publishes_every_line_once_as_a_request_of_its_day_or_as_a_reject() {
    let logs = TempDir::new().unwrap();
    let input = write_logs(logs.path());
    let (folder, ended) = same_files_everywhere(|folder| job(folder, &input));

    let expected =
        [("/", "200"), ("/a b", "500"), ("/ä", "304"), ("/big", "200"), ("/x", "201"), ("/x", "204")];
    let expected = GOOD.iter().zip(expected);
    let expected =
        expected.map(|((day, _), (path, status))| ((day.to_string(), path.into(), status.into()), 1));
    assert_eq!(published(&folder.path().join("requests")), expected.collect());
    let counters = serde_json::json!({"rejected lines": BAD.len(), "published requests": GOOD.len()});
    assert_eq!(ended.json()["counters"], counters);

    let rejects =
        files_below(&folder.path().join("rejects")).into_values().map(|b| String::from_utf8(b).unwrap());
    let rejects: String = rejects.collect();
    let rejects = rejects.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let rejects: BTreeMap<String, String> = rejects
        .map(|reject| {
            assert!(reject["place"].as_str().unwrap().contains(".log, byte "), "{reject}");
            (reject["record"].as_str().unwrap().to_owned(), reject["error"].as_str().unwrap().to_owned())
        })
        .collect();
    assert_eq!(rejects.len(), BAD.len());
    BAD.iter().for_each(|(line, why)| assert!(rejects[*line].starts_with(why), "{line}: {}", rejects[*line]));
}

#[test]
fn log_etl_keeps_what_a_request_says_and_leaves_out_what_is_a_dash() {
    let logs = TempDir::new().unwrap();
    let input = write_logs(logs.path());
    let folder = TempDir::new().unwrap();
    job(folder.path(), &input).run().ok();
    let batches = table::batches(&folder.path().join("requests/day=2026-02-28"));
    let column = |name| batches.iter().flat_map(|batch| texts(batch, name)).collect::<Vec<_>>();
    let some = |text: &str| Some(text.to_owned());
    let mut hosts = column("host").into_iter().zip(column("user")).zip(column("method")).collect::<Vec<_>>();
    hosts.sort();
    assert_eq!(hosts, [((some("192.0.2.1"), None), some("GET")), ((some("::1"), some("ann")), some("POST"))]);
    let mut rest =
        column("bytes").into_iter().zip(column("referrer")).zip(column("agent")).collect::<Vec<_>>();
    rest.sort();
    assert_eq!(
        rest,
        [((None, some("http://x/")), some(r#"a \"b\" c"#)), ((some("2326"), None), some("curl/8"))]
    );
}

#[test]
fn a_day_of_log_etl_can_be_run_again_and_the_other_days_stay() {
    let (logs, folder) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let input = write_logs(logs.path());
    job(folder.path(), &input).run().ok();
    let before = files_below(&folder.path().join("requests"));
    job(folder.path(), &input).option("--day", "2026-03-01").run().ok();
    assert!(files_below(&folder.path().join("requests")) == before, "the same lines give the same files");

    fs::write(logs.path().join("3.log"), format!("{}\n{}\n", GOOD[2].1, GOOD[4].1)).unwrap();
    job(folder.path(), &input).option("--day", "2026-03-01").on("local-cluster[2,1]").run().ok();
    let after = published(&folder.path().join("requests"));
    assert_eq!(after.values().sum::<usize>(), GOOD.len() + 1);
    assert_eq!(after[&("2026-03-01".to_owned(), "/ä".to_owned(), "304".to_owned())], 2);
}
