//! The result of a run: identity, options, reasons, formats, and the files that schedulers read.

use std::path::Path;

use serde_json::{Value, json};

use crate::job::Job;
use crate::small;

#[test]
fn an_attempt_is_known_by_option_variable_or_scheduler() {
    let result = small("local[1]").option("--run-id", "r").option("--attempt", "3").run().ok().json();
    assert_eq!((&result["run_id"], &result["attempt"]), (&json!("r"), &json!(3)));
    let airflow = |try_number: &str, rows: &str| {
        let job = small("local[1]").option("--rows", rows).env("AIRFLOW_CTX_DAG_ID", "d");
        let job = job.env("AIRFLOW_CTX_DAG_RUN_ID", "r").env("AIRFLOW_CTX_TASK_ID", "t");
        job.env("AIRFLOW_CTX_TRY_NUMBER", try_number).run().ok().json()
    };
    let (first, second, other) = (airflow("1", "6"), airflow("2", "6"), airflow("1", "7"));
    assert!(first["run_id"].as_str().unwrap().starts_with("d/r/t/"), "{first}");
    assert_eq!((&first["run_id"], &second["attempt"]), (&second["run_id"], &json!(2)));
    assert_ne!(first["run_id"], other["run_id"], "another command in the same task");
}

#[test]
fn a_setting_that_cannot_be_read_ends_with_78_and_an_option_with_64() {
    for (name, value) in
        [("KILN_ATTEMPT", "one"), ("KILN_TIMEOUT", "5"), ("KILN_MODE", "all"), ("KILN_IF_RUNNING", "x")]
    {
        let ended = small("local[1]").env(name, value).run();
        ended.fails(78, "config", &[&format!("{name}=`{value}` cannot be read")]);
        assert_eq!(ended.json()["reason"], "malformed_config");
    }
    let ended = small("local[1]").option("--kiln-mode", "all").run();
    ended.exits(64);
    assert!(ended.stderr.contains("replace-partitions"), "the valid ones are listed:\n{}", ended.stderr);
    assert_eq!((&ended.json()["reason"], &ended.json()["class"]), (&json!("usage"), &json!("usage")));
}

#[test]
fn a_job_without_a_run_id_is_told_what_that_means() {
    let place = tempfile::tempdir().unwrap();
    let note = "note: no run id was given, so a retry of this run would publish again; set KILN_RUN_ID\n";
    let published = small("local[1]").option("--output", place.path().join("a")).run().ok();
    assert_eq!(published.stderr.matches(note).count(), 1, "{}", published.stderr);
    let named =
        small("local[1]").option("--output", place.path().join("b")).env("KILN_RUN_ID", "r").run().ok();
    let unpublished = small("local[1]").run().ok();
    assert!(!named.stderr.contains("note:") && !unpublished.stderr.contains("note:"));
}

#[test]
fn what_was_published_before_a_failure_is_reported() {
    let place = tempfile::tempdir().unwrap();
    let output = place.path().join("numbers");
    let job = Job::new(env!("CARGO_BIN_EXE_chatty")).on("local[1]").option("--output", &output);
    let ended = job.option("--after", "/no/such/folder/after").run();
    ended.exits(78);
    let result = ended.json();
    assert_eq!((&result["status"], &result["reason"]), (&json!("failed"), &json!("config")));
    assert_eq!(result["outputs"][0]["rows"], 10);
}

#[test]
fn the_result_is_written_in_the_format_that_is_asked_for() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("result");
    let run = |format: &str| {
        let job = small("local[1]").env("KILN_RUN_ID", "it's 7").env("KILN_ATTEMPT", "2");
        let job = job.env("KILN_RESULT_FORMAT", format).env("KILN_RESULT", "stdout");
        let ended = job.run().ok();
        let text = ended.result.clone().unwrap();
        assert!(ended.stdout.ends_with(&text), "{}", ended.stdout);
        std::fs::write(&file, &text).unwrap();
        text
    };
    assert!(run("properties").lines().any(|line| line == "kiln.run_id=it's 7"));
    run("env");
    // A shell verifies the quoting.
    let script = ". \"$0\"; echo \"$KILN_RESULT_RUN_ID|$KILN_RESULT_STATUS|$KILN_RESULT_ATTEMPT\"";
    let shell = std::process::Command::new("sh").arg("-c").arg(script).arg(&file).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&shell.stdout), "it's 7|succeeded|2\n");
}

#[test]
fn schedulers_find_the_result_where_they_look() {
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name);
    let text = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
    std::fs::write(at("termination"), "").unwrap();
    std::fs::write(at("azkaban"), "").unwrap();
    let run = |job: Job| {
        let job = job.env("KILN_RUN_ID", "r").env("KILN_XCOM_DIR", place.path());
        job.env("JOB_OUTPUT_PROP_FILE", at("azkaban")).env("KILN_TERMINATION_LOG", at("termination")).run()
    };
    let ended = run(small("local[1]")).ok();
    let xcom: Value = serde_json::from_str(&text(&at("return.json"))).unwrap();
    assert_eq!(xcom, ended.json());
    let azkaban: Value = serde_json::from_str(&text(&at("azkaban"))).unwrap();
    let values = azkaban.as_object().unwrap();
    assert!(values["kiln.status"] == "succeeded" && values.values().all(Value::is_string), "{azkaban}");
    assert_eq!(text(&at("termination")), "", "a job that is well leaves no message");

    let failed = run(small("local[1]").env("KILN_MEMORY", "x".repeat(9000)));
    failed.exits(78);
    let log = text(&at("termination"));
    let short: Value = serde_json::from_str(&log).unwrap();
    assert_eq!((&short["class"], &short["reason"]), (&json!("config"), &json!("malformed_config")));
    assert!(log.len() <= 4096 && short["message"].as_str().unwrap().starts_with("KILN_MEMORY=`xxx"));
    let mut names: Vec<_> =
        place.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["azkaban", "return.json", "termination"], "nothing is left beside them");
}

#[test]
fn an_older_attempt_never_replaces_the_result_of_a_newer_one() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("return.json");
    let run = |run_id: &str, attempt: &str| {
        let job = small("local[1]").env("KILN_RUN_ID", run_id).env("KILN_ATTEMPT", attempt);
        let ended = job.env("KILN_XCOM_DIR", place.path()).run().ok();
        let result: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        (result["attempt"].as_u64().unwrap(), ended.stderr.contains("holds the result of a newer attempt"))
    };
    let seen = [run("r", "2"), run("r", "1"), run("r", "2"), run("r", "3"), run("other", "1")];
    assert_eq!(seen, [(2, false), (2, true), (2, false), (3, false), (1, false)]);
}
