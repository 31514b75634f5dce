//! Runs and attempts: a run publishes once, the newest attempt decides, and no run removes what a later one has published.

use rustix::process::Signal;

use crate::job::{Job, Running};
use crate::server::Database;
use crate::{content, lines, publishes, target, write};

fn run(db: &Database, id: &str, options: &[&str]) -> Job {
    write(db, options).option("--run-id", id)
}

/// Starts a job that stops at a place in the code.
fn stopped(job: Job, place: &str) -> Running {
    let running = job.env("KILN_FAILPOINT", format!("{place}=stop")).start();
    running.wait_until_stopped();
    running
}

#[test]
fn a_run_that_has_published_is_not_published_again() {
    for options in [
        &["--mode", "append", "--first", "2000"][..],
        &["--replace-where", "part = 1", "--part", "1", "--first", "5000"],
    ] {
        let db = target();
        let first = run(&db, "night", options).run().ok();
        let after = content(&db);
        let retry = run(&db, "night", options).run().ok();
        assert_eq!(retry.json()["outputs"], first.json()["outputs"]);
        assert_eq!(content(&db), after);
        assert_eq!(publishes(&db), "1 of 1");
        run(&db, "night", options).env("KILN_ATTEMPT", "0").run().fails(73, "fenced", &["a newer attempt"]);
        // A table that was removed is not published any more.
        db.sql("DROP TABLE t");
        run(&db, "night", &["--create"]).run().ok();
        assert_eq!(lines(&db), "new 1000");
    }
}

#[test]
fn an_attempt_that_comes_after_a_newer_one_is_fenced() {
    for place in ["table.claimed", "table.part_sent", "table.staged"] {
        let db = target();
        let options = ["--mode", "append", "--first", "2000"];
        let old = stopped(run(&db, "night", &options).env("KILN_ATTEMPT", "1"), place);
        run(&db, "night", &options).env("KILN_ATTEMPT", "2").run().ok();
        let after = content(&db);
        old.signal(Signal::CONT);
        let ended = old.wait();
        assert_eq!(ended.code(), Some(73), "{place}: {}", ended.stderr);
        assert_eq!(ended.json()["reason"], "newer_attempt");
        assert_eq!((lines(&db), content(&db)), ("new 1000, old 2000".to_owned(), after));
        assert_eq!(publishes(&db), "1 of 1");
    }
}

#[test]
fn of_two_runs_on_one_partition_the_later_one_wins() {
    for condition in ["part = 1", "part = 1 OR part = 2"] {
        let db = target();
        let replace = ["--replace-where", condition, "--part", "1", "--first", "5000"];
        let earlier = stopped(run(&db, "monday", &replace), "table.staged");
        let later = ["--replace-where", "part = 1", "--part", "1", "--first", "7000", "--text", "later"];
        run(&db, "tuesday", &later).run().ok();
        let after = content(&db);
        earlier.signal(Signal::CONT);
        let ended = earlier.wait();
        assert_eq!(ended.code(), Some(73), "{condition}: {}", ended.stderr);
        assert_eq!(ended.json()["reason"], "newer_run_published");
        assert_eq!(content(&db), after);
    }
}

#[test]
fn runs_on_different_partitions_do_not_disturb_each_other() {
    let db = target();
    let one = stopped(
        run(&db, "a", &["--replace-where", "part = 1", "--part", "1", "--first", "5000"]),
        "table.staged",
    );
    run(&db, "b", &["--replace-where", "part = 2", "--part", "2", "--first", "7000"]).run().ok();
    one.signal(Signal::CONT);
    one.wait().ok();
    assert_eq!(lines(&db), "new 2000, old 1000");
    assert_eq!(publishes(&db), "2 of 2");
}

#[test]
fn an_upsert_and_an_overwrite_never_undo_a_later_run() {
    for earlier in [&["--upsert-by", "id"][..], &["--mode", "overwrite"]] {
        let db = target();
        let older = stopped(run(&db, "monday", earlier), "table.staged");
        run(&db, "tuesday", &["--upsert-by", "id", "--text", "later", "--first", "500"]).run().ok();
        older.signal(Signal::CONT);
        let ended = older.wait();
        assert_eq!(ended.code(), Some(73), "{earlier:?}: {}", ended.stderr);
        assert_eq!(lines(&db), "later 1000, old 1000");
    }
}

#[test]
fn many_runs_at_once_leave_what_the_last_claim_wrote() {
    for _ in 0..3 {
        let db = target();
        let job = |n: usize| {
            let text = ["a", "b", "c", "d"][n];
            let replace = ["--replace-where", "part = 1", "--part", "1", "--first", "5000", "--text", text];
            run(&db, text, &replace).on("local[1]")
        };
        let running: Vec<Running> = (0..4).map(|n| job(n).start()).collect();
        let codes: Vec<Option<i32>> = running.into_iter().map(|running| running.wait().code()).collect();
        assert!(codes.iter().all(|code| matches!(code, Some(0 | 73))), "{codes:?}");
        let last =
            "SELECT run_id FROM kiln_publishes WHERE published_at IS NOT NULL ORDER BY epoch DESC LIMIT 1";
        let winner = db.sql(last);
        assert_eq!(lines(&db), format!("{winner} 1000, old 1500"), "{codes:?}");
        let published = codes.iter().filter(|code| **code == Some(0)).count();
        assert_eq!(publishes(&db), format!("{published} of {published}"));
    }
}
