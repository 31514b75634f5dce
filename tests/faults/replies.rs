//! Replies of the store that are lost, late or refusals: an output is published once, and no work is discarded.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::place::{HARMLESS_ONCE, MODES, Place, numbers_from, with};
use super::s3::Action;

const HEAD: &str = "/heads/rows.json";
const MANIFEST: &str = "/_SUCCESS";
const DELETE: &str = "?delete";

/// Checks that one publish is there, with nothing beside.
#[track_caller]
fn is_published(place: &Place, mode: &str, before: &[u64], what: &str) {
    assert_eq!(place.numbers(), with(before, 0), "{mode}, {what}");
    assert_eq!(place.version(), 1 + u64::from(mode != "error"), "{mode}, {what}");
    assert_eq!(place.left(), [""; 0], "{mode}, {what}");
}

#[test]
#[ignore = "slow"]
fn a_put_or_removal_that_is_reset_or_refused_once_does_no_harm() {
    for (at, mode) in MODES.iter().cycle().take(8).enumerate() {
        // The head is put by the claim, by the commit and when all is done.
        let requests = [("PUT", HEAD, 0), ("PUT", HEAD, 1), ("PUT", HEAD, 2), ("PUT", MANIFEST, 0)];
        // The first removal is that of the object by which the store is probed.
        let removal = [("POST", DELETE, 1)];
        let removes = matches!(*mode, "overwrite" | "replace-partitions");
        for (method, part, number) in requests.iter().chain(removal.iter().filter(|_| removes)) {
            let action = HARMLESS_ONCE[(at + number) % HARMLESS_ONCE.len()];
            let place = Place::s3();
            let before = place.prepare(mode);
            let fault = place.server().fault(method, part, *number..number + 1, action);
            place.attempt(mode, 0, 1).run().ok();
            assert_eq!(fault.struck(), 1, "{mode}, {part} {number}");
            is_published(&place, mode, &before, &format!("{action:?} of {method} {part} {number}"));
        }
    }
}

#[test]
fn every_fault_of_the_put_that_commits_ends_in_one_version() {
    for action in HARMLESS_ONCE {
        let place = Place::s3();
        let fault = place.server().fault("PUT", HEAD, 1..2, action);
        let ended = place.attempt("error", 0, 1).run().ok();
        assert_eq!((fault.struck(), ended.json()["outputs"][0]["rows"].as_u64()), (1, Some(600)));
        is_published(&place, "error", &[], &format!("{action:?}"));
    }
}

#[test]
#[ignore = "slow"]
fn a_probe_whose_reply_is_lost_is_no_reason_to_fail() {
    for number in 0..4 {
        for action in HARMLESS_ONCE {
            let place = Place::s3();
            let fault = place.server().fault("PUT", "/_kiln/probe-", number..number + 1, action);
            place.attempt("error", 0, 1).run().ok();
            assert_eq!(fault.struck(), 1, "{number} {action:?}");
            is_published(&place, "error", &[], &format!("{action:?} of probe {number}"));
        }
    }
}

#[test]
fn removals_that_fail_for_long_are_reported_and_the_same_run_makes_them_good() {
    for (mode, action) in [("overwrite", Action::Drop), ("replace-partitions", Action::Refuse(503))] {
        let place = Place::s3();
        place.prepare(mode);
        let fault = place.server().fault("POST", DELETE, 0..usize::MAX, action);
        let ended = place.attempt(mode, 0, 1).env("KILN_SHORT_LIMITS", "1000").run();
        ended.exits(75);
        assert!(fault.struck() > 1);
        // What the result names is true: a reader that goes by the manifest sees the new rows only.
        assert_eq!(ended.json()["outputs"][0]["rows"], 600);
        assert_eq!(place.numbers(), numbers_from(0));
        assert_ne!(place.left(), [""; 0]);
        place.server().heal();
        let again = place.attempt(mode, 1000, 2).run().ok();
        assert_eq!(again.json()["outputs"], ended.json()["outputs"]);
        is_published(&place, mode, &[], "healed");
    }
}

/// A client that gives up a request after this time.
const CLIENT: &str = "1s";
/// A request that lands later than its client has given it up.
const LATE: Action = Action::Late(Duration::from_millis(2500));

#[test]
#[ignore = "slow"]
fn a_put_that_outlasts_its_client_and_lands_later_changes_nothing() {
    for (mode, part, number) in [
        ("error", MANIFEST, 0),
        ("overwrite", MANIFEST, 0),
        ("append", HEAD, 1),
        ("replace-partitions", HEAD, 1),
        ("error", HEAD, 0),
        ("overwrite", HEAD, 2),
    ] {
        let place = Place::s3();
        let before = place.prepare(mode);
        let fault = place.server().fault("PUT", part, number..number + 1, LATE);
        place.attempt(mode, 0, 1).env("AWS_TIMEOUT", CLIENT).run().ok();
        is_published(&place, mode, &before, part);
        place.job("append", 5000).run().ok();
        super::folder::wait_until("the late request lands", || fault.done() == 1);
        let mut numbers = with(&before, 0);
        numbers.extend(numbers_from(5000));
        numbers.sort_unstable();
        assert_eq!(place.numbers(), numbers, "{mode} {part} {number}");
        place.attempt(mode, 1000, 2).run().ok();
        assert_eq!((place.numbers(), place.left().len()), (numbers, 0), "{mode} {part} {number}");
    }
}

#[test]
#[ignore = "slow"]
fn a_commit_whose_outcome_is_unknown_leaves_its_files_and_a_retry_finds_it() {
    for (action, is_applied) in [(Action::ApplyAndRefuse(500), true), (Action::Refuse(500), false)] {
        for mode in MODES {
            let place = Place::s3();
            let before = place.prepare(mode);
            let server = place.server();
            let put = server.fault("PUT", HEAD, 1..usize::MAX, action);
            let job =
                place.attempt(mode, 0, 1).env("KILN_SHORT_LIMITS", "500").env("AWS_TIMEOUT", CLIENT).start();
            put.wait(1);
            let reads = server.fault("GET", HEAD, 0..usize::MAX, Action::Drop);
            let ended = job.wait();
            ended.exits(75);
            assert!(
                ended.stderr.contains("does not answer whether the output was published"),
                "{}",
                ended.stderr
            );
            assert!(reads.struck() > 0);
            server.heal();
            place.attempt(mode, 1000, 2).run().ok();
            let offset = if is_applied { 0 } else { 1000 };
            assert_eq!(place.numbers(), with(&before, offset), "{mode}");
        }
    }
}

#[test]
fn a_commit_whose_reply_is_lost_while_another_job_begins_keeps_its_files() {
    let place = Place::s3();
    let late = Action::LateReply(Duration::from_secs(8));
    let put = place.server().fault("PUT", HEAD, 1..2, late);
    let job = place.attempt("append", 0, 1).env("KILN_SHORT_LIMITS", "500").env("AWS_TIMEOUT", "5s").start();
    put.wait(1);
    let other = place.job("append", 1000).env("KILN_FAILPOINT", "claimed=stop").start();
    other.wait_until_stopped();
    // It reads back a head that another job has changed since, and then nothing more.
    let reads = place.server().fault("GET", HEAD, 1..usize::MAX, Action::Drop);
    let ended = job.wait();
    assert!(reads.struck() > 0);
    place.server().heal();
    ended.exits(75);
    other.signal(rustix::process::Signal::CONT);
    other.wait().ok();
    assert_eq!(place.numbers(), with(&numbers_from(1000), 0), "{}", ended.stderr);
    place.attempt("append", 2000, 2).run().ok();
    assert_eq!(place.numbers(), with(&numbers_from(1000), 0));
}

#[test]
fn a_key_that_expires_after_a_lost_reply_costs_no_published_file() {
    let place = Place::s3();
    let applied = place.server().fault("PUT", HEAD, 1..2, Action::ApplyAndRefuse(503));
    let expired = place.server().fault("PUT", HEAD, 2..3, Action::Refuse(403));
    place.attempt("error", 0, 1).run();
    assert_eq!((applied.struck(), expired.struck()), (1, 1));
    place.attempt("error", 1000, 2).run().ok();
    is_published(&place, "error", &[], "expired");
}

#[test]
fn a_store_without_conditional_put_is_refused_before_any_work() {
    for mode in MODES {
        let (place, gate) = (Place::s3(), tempfile::tempdir().unwrap());
        let ignored = place.server().ignore_conditions();
        let ended = place.attempt(mode, 0, 1).option("--gate", gate.path()).run();
        ended.fails(78, "config", &["the object store cannot publish safely", "If-None-Match"]);
        assert_eq!(ended.json()["reason"], "no_conditional_put");
        assert!(ignored.load(Ordering::SeqCst) > 0);
        assert_eq!(gate.path().read_dir().unwrap().count(), 0, "tasks ran");
        assert_eq!(place.server().keys("out/rows/"), [""; 0]);
    }
}

#[test]
fn the_reset_of_another_jobs_put_keeps_nobody_waiting() {
    for action in [Action::Drop, Action::DropReply] {
        let place = Place::s3();
        let fault = place.server().fault("PUT", HEAD, 1..3, action);
        let jobs = [0, 600, 1200].map(|offset| place.job("append", offset).start());
        jobs.into_iter().for_each(|job| drop(job.wait().ok()));
        assert_eq!(fault.struck(), 2);
        assert_eq!(place.numbers(), (0..1800).collect::<Vec<u64>>());
        assert_eq!((place.version(), place.left().len()), (3, 0));
    }
}
