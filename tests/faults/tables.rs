//! Delta tables: the first version, a head that was lost, and commits whose replies are lost.

use rustix::process::Signal;

use super::job::{Ended, Running};
use super::place::{HARMLESS_ONCE, MODES, Place, numbers_from, with};
use super::s3::Action;

const LOG: &str = "/_delta_log/000";

fn both() -> [Place; 2] {
    [Place::disk().into_table(), Place::s3().into_table()]
}

/// An attempt that was stopped at `step`.
fn stopped(place: &Place, mode: &str, number: u32, step: &str) -> Running {
    let offset = 1000 * (u64::from(number) - 1);
    let job = place.attempt(mode, offset, number).env("KILN_FAILPOINT", format!("{step}=stop")).start();
    job.wait_until_stopped();
    job
}

#[track_caller]
fn is_fenced(ended: &Ended) {
    ended.fails(73, "fenced", &["a newer attempt of this run has taken over"]);
}

#[test]
fn an_attempt_does_not_make_the_first_version_once_a_newer_one_has_claimed_the_table() {
    for mode in MODES {
        for place in both() {
            // It has asked the head, and there is no log that could fence it.
            let old = stopped(&place, mode, 1, "commit.checked");
            let new = stopped(&place, mode, 2, "commit.ready");
            old.signal(Signal::CONT);
            is_fenced(&old.wait());
            new.signal(Signal::CONT);
            new.wait().ok();
            assert_eq!(place.numbers(), numbers_from(1000), "{mode}");
            assert_eq!((place.publishes(), place.left()), (1, Vec::new()), "{mode}");
        }
    }
}

#[test]
fn a_newer_attempt_stays_the_last_when_another_run_makes_the_table_meanwhile() {
    for place in both() {
        let old = stopped(&place, "append", 1, "commit.checked");
        let new = stopped(&place, "append", 2, "commit.ready");
        place.job("append", 5000).run().ok();
        old.signal(Signal::CONT);
        is_fenced(&old.wait());
        new.signal(Signal::CONT);
        new.wait().ok();
        assert_eq!(place.numbers(), with(&numbers_from(5000), 1000));
    }
}

#[test]
fn a_first_version_that_is_decided_is_carried_out_by_whoever_comes_next() {
    for is_killed in [true, false] {
        for (mode, run) in [("error", Some(2)), ("append", Some(2)), ("append", None), ("overwrite", None)] {
            for place in both() {
                let old = stopped(&place, mode, 1, "commit.decided");
                assert_eq!(place.publishes(), 0);
                if is_killed {
                    old.signal(Signal::KILL);
                }
                let next = match run {
                    Some(number) => place.attempt(mode, 1000, number),
                    None => place.job(mode, 1000),
                };
                next.run().ok();
                old.signal(Signal::CONT);
                let old = old.wait();
                assert_eq!(old.code(), (!is_killed).then_some(0), "{mode}: {}", old.stderr);
                let expected = match (run, mode) {
                    (Some(_), _) => numbers_from(0),
                    (None, "append") => with(&numbers_from(0), 1000),
                    (None, _) => numbers_from(1000),
                };
                assert_eq!(place.numbers(), expected, "{mode} {run:?}");
                assert_eq!((place.publishes(), place.left()), (1 + u64::from(run.is_none()), Vec::new()));
            }
        }
    }
}

#[test]
fn a_first_version_whose_files_were_removed_is_not_carried_out() {
    for place in both() {
        let old = stopped(&place, "error", 1, "commit.decided");
        old.signal(Signal::KILL);
        old.wait();
        std::fs::remove_dir_all(place.root()).unwrap();
        place.attempt("error", 1000, 2).run().ok();
        assert_eq!((place.numbers(), place.publishes()), (numbers_from(1000), 1));
    }
}

#[test]
fn without_the_fence_an_older_attempt_makes_the_first_version() {
    for place in both() {
        let old = place.attempt("append", 0, 1).env("KILN_SABOTAGE", "fence");
        let old = old.env("KILN_FAILPOINT", "commit.checked=stop").start();
        old.wait_until_stopped();
        let new = stopped(&place, "append", 2, "commit.ready");
        old.signal(Signal::CONT);
        old.wait().ok();
        assert_eq!(place.numbers(), numbers_from(0));
        new.signal(Signal::CONT);
        new.wait();
    }
}

#[test]
fn a_retry_that_begins_while_its_run_publishes_reports_that_version() {
    for place in both() {
        let before = place.prepare("append");
        let gate = tempfile::tempdir().unwrap();
        let old = place.attempt("append", 0, 1).option("--gate", gate.path()).start();
        super::folder::wait_for(gate.path(), "waits-", 1);
        let new = place.attempt("append", 1000, 2).env("KILN_FAILPOINT", "begun=stop").start();
        new.wait_until_stopped();
        std::fs::write(gate.path().join("open"), "").unwrap();
        let old = old.wait().ok();
        new.signal(Signal::CONT);
        assert_eq!(new.wait().ok().json()["version"], old.json()["version"]);
        assert_eq!(place.numbers(), with(&before, 0));
    }
}

fn lose_heads(place: &Place) {
    std::fs::remove_dir_all(place.root().with_file_name("_kiln").join("heads")).unwrap();
}

#[test]
fn a_table_whose_head_was_lost_is_published_to_and_no_run_is_published_twice() {
    for mode in ["overwrite", "append"] {
        for place in both() {
            for _ in 0..2 {
                place.job(mode, 7000).run().ok();
            }
            place.attempt(mode, 0, 1).run().ok();
            let before = place.numbers();
            lose_heads(&place);
            place.attempt(mode, 1000, 2).run().ok();
            assert_eq!(place.numbers(), before, "{mode}: the log knows the run");
            lose_heads(&place);
            place.job(mode, 2000).run().ok();
            let expected = if mode == "append" { with(&before, 2000) } else { numbers_from(2000) };
            assert_eq!(place.numbers(), expected, "{mode}");
        }
    }
}

#[test]
fn an_attempt_under_way_is_fenced_by_its_retry_also_when_the_head_was_lost_in_between() {
    for place in both() {
        (0..3).for_each(|_| drop(place.job("append", 7000).run().ok()));
        let before = place.numbers();
        let old = stopped(&place, "append", 1, "commit.ready");
        lose_heads(&place);
        place.attempt("append", 1000, 2).run().ok();
        old.signal(Signal::CONT);
        is_fenced(&old.wait());
        assert_eq!(place.numbers(), with(&before, 1000));
    }
}

#[test]
fn a_version_whose_reply_is_lost_is_found_by_reading_it_back() {
    // The first version of a table, and a later one; every action meets both.
    for mode in ["error", "replace-partitions"] {
        for action in HARMLESS_ONCE {
            let place = Place::s3().into_table();
            let before = place.prepare(mode);
            let version = place.publishes();
            let fault = place.server().fault("PUT", LOG, 0..1, action);
            let ended = place.attempt(mode, 0, 1).run().ok();
            let what = format!("{mode}, {action:?}");
            assert_eq!((fault.struck(), &ended.json()["version"]), (1, &version.into()), "{what}");
            assert_eq!(place.numbers(), with(&before, 0), "{what}");
            assert_eq!((place.publishes(), place.left()), (version + 1, Vec::new()), "{what}");
        }
    }
}

#[test]
fn a_claim_whose_reply_is_lost_fences_and_is_made_once() {
    for action in HARMLESS_ONCE {
        let place = Place::s3().into_table();
        let before = place.prepare("append");
        let old = stopped(&place, "append", 1, "commit.ready");
        let fault = place.server().fault("PUT", LOG, 0..1, action);
        place.attempt("append", 1000, 2).run().ok();
        assert_eq!(fault.struck(), 1, "{action:?}");
        old.signal(Signal::CONT);
        is_fenced(&old.wait());
        assert_eq!(place.numbers(), with(&before, 1000), "{action:?}");
        // The rows of before, the claim, and the publish.
        assert_eq!((place.publishes(), place.version()), (2, 2), "{action:?}");
    }
}

#[test]
fn a_version_whose_outcome_is_unknown_leaves_its_files_and_a_retry_finds_it() {
    for (action, is_applied) in [(Action::ApplyAndRefuse(500), true), (Action::Refuse(500), false)] {
        for mode in ["error", "append"] {
            let place = Place::s3().into_table();
            let before = place.prepare(mode);
            let server = place.server();
            let put = server.fault("PUT", LOG, 0..usize::MAX, action);
            // Before the commit the log is read; from then on it does not answer.
            let job = place.attempt(mode, 0, 1).env("KILN_SHORT_LIMITS", "500");
            let job = job.env("KILN_FAILPOINT", "commit.checked=stop").start();
            job.wait_until_stopped();
            let reads = server.fault("GET", LOG, 1..usize::MAX, Action::Drop);
            job.signal(Signal::CONT);
            let ended = job.wait();
            ended.exits(75);
            assert_eq!(ended.json()["reason"], "outcome_unknown", "{}", ended.stderr);
            assert!(put.struck() > 0 && reads.struck() > 0);
            server.heal();
            place.attempt(mode, 1000, 2).run().ok();
            // The first version of a table is decided before it is put.
            let offset = if is_applied || mode == "error" { 0 } else { 1000 };
            assert_eq!(place.numbers(), with(&before, offset), "{mode} {action:?}");
        }
    }
}
