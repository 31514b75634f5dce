//! Which runs are recorded, and what a record contains.

use rustix::process::Signal;

use super::{Place, endings};

#[test]
fn every_attempt_of_a_named_run_is_recorded_however_it_ends() {
    for place in Place::all() {
        place.attempt("error", 1).run().ok();
        place.job("error").option("--run-id", "late/r 7").run().fails(78, "config", &["the output exists"]);
        let cancelled =
            place.attempt("overwrite", 3).env("KILN_RUN_ID", "x").env("KILN_FAILPOINT", "claimed=stop");
        let cancelled = cancelled.option("--offset", "1000").start();
        // The run is already published, so it does not start again.
        cancelled.wait().ok();
        let stopped =
            place.job("overwrite").option("--run-id", "weekly").env("KILN_FAILPOINT", "claimed=stop").start();
        stopped.wait_until_stopped();
        stopped.signal(Signal::TERM);
        stopped.signal(Signal::CONT);
        stopped.wait().exits(143);

        let records = place.records();
        let mut ended = endings(&records);
        ended.sort();
        let expected = [
            "late/r 7 null failed output_exists",
            "nightly 1 published null",
            "nightly 3 published null",
            "weekly 1 cancelled sigterm",
        ];
        assert_eq!(ended, expected);
        let table = place.kiln(&["runs", &place.uri()]);
        for word in ["RUN", "nightly", "late/r 7", "output_exists", "sigterm"] {
            assert!(table.stdout.contains(word), "{}", table.stdout);
        }
    }
}

#[test]
fn a_record_has_the_result_and_what_started_the_job() {
    let place = Place::Disk(tempfile::tempdir().unwrap());
    let ended = place.attempt("error", 2).option("--odd-rows", "3").env("KILN_MODE", "append").run().ok();
    let (result, record) = (ended.json(), place.records().remove(0));
    for (field, value) in result.as_object().unwrap() {
        assert_eq!(&record[field], value, "{field}");
    }
    assert_eq!(record["job"], env!("CARGO_BIN_EXE_small"));
    let expected = ["--mode", "error", "--output", &place.uri(), "--odd-rows", "3"];
    assert_eq!(record["args"], serde_json::json!(expected));
    assert_eq!(record["settings"], serde_json::json!({ "KILN_MODE": "append" }));
    let times = ["started", "ended"]
        .map(|field| chrono::DateTime::parse_from_rfc3339(record[field].as_str().unwrap()).unwrap());
    assert!(times[0] <= times[1]);
    assert!(std::path::Path::new(record["folder"].as_str().unwrap()).is_absolute());
}

#[test]
fn a_run_without_a_name_is_recorded_when_it_has_published_and_else_leaves_nothing() {
    for place in Place::all() {
        place.job("append-once").run().fails(78, "config", &["needs a run id"]);
        assert!(!place.folder().parent().unwrap().join("_kiln").exists());
        place.job("error").run().ok();
        place.job("error").run().fails(78, "config", &["the output exists"]);
        let records = place.records();
        assert_eq!(records.len(), 1, "{records:?}");
        assert_eq!((&records[0]["attempt"], &records[0]["status"]), (&1.into(), &"published".into()));
    }
}

#[test]
fn a_ledger_that_cannot_be_written_is_a_warning() {
    let place = Place::Disk(tempfile::tempdir().unwrap());
    let books = place.folder().parent().unwrap().join("_kiln");
    std::fs::create_dir(&books).unwrap();
    std::fs::write(books.join("runs"), "not a folder").unwrap();
    let ended = place.attempt("error", 1).run().ok();
    assert!(ended.stderr.contains("the run is not recorded in its ledger"), "{}", ended.stderr);
    assert_eq!(ended.json()["status"], "published");
}
