//! A job that is told to stop at any step of a slow commit tells whether it has published, and that is true.

use std::time::Duration;

use rustix::process::Signal;

use super::job::Ended;
use super::place::{Place, with};
use super::s3::Action;

/// The requests of a commit, in order.
const STEPS: [(&str, &str, usize); 4] = [
    ("PUT", "/heads/rows.json", 1),
    ("PUT", "/_SUCCESS", 0),
    ("POST", "?delete", 1),
    ("PUT", "/heads/rows.json", 2),
];
const SLOW: Duration = Duration::from_millis(1500);

/// Whether the result names an output; its other words must agree.
#[track_caller]
fn tells_published(ended: &Ended) -> bool {
    let result = ended.json();
    let is_told = result["outputs"] != serde_json::json!([]);
    let message = result["message"].as_str().unwrap_or_default();
    assert!(!is_told || !message.contains("nothing published"), "{message}");
    is_told
}

/// Whether the rows of attempt 1 are there, by a retry that brings others.
#[track_caller]
fn is_published(place: &Place, mode: &str, before: &[u64]) -> bool {
    place.attempt(mode, 1000, 2).run().ok();
    let numbers = place.numbers();
    let is_old = numbers == with(before, 0);
    assert!(is_old || numbers == with(before, 1000), "{mode}: {numbers:?}");
    is_old
}

#[test]
#[ignore = "slow"]
fn a_cancel_in_a_slow_commit_is_told_as_it_ends() {
    for (at, (method, part, number)) in STEPS.into_iter().enumerate() {
        for action in [Action::Late(SLOW), Action::LateReply(SLOW)] {
            let mode = if at % 2 == 0 { "overwrite" } else { "replace-partitions" };
            let place = Place::s3();
            let before = place.prepare(mode);
            let fault = place.server().fault(method, part, number..number + 1, action);
            let job = place.attempt(mode, 0, 1).start();
            fault.wait(1);
            job.signal(Signal::TERM);
            let ended = job.wait();
            ended.exits(0);
            assert!(tells_published(&ended), "{part} {number}: {}", ended.stderr);
            assert!(is_published(&place, mode, &before), "{part} {number}: {}", ended.stderr);
            assert_eq!(place.left(), [""; 0], "{part} {number}");
        }
    }
}

#[test]
#[ignore = "slow"]
fn a_commit_that_outlasts_its_grace_is_told_as_far_as_it_is_known() {
    for (method, part, number) in STEPS {
        for action in [Action::Late(2 * SLOW), Action::LateReply(2 * SLOW)] {
            let place = Place::s3();
            let before = place.prepare("overwrite");
            let fault = place.server().fault(method, part, number..number + 1, action);
            let job = place.attempt("overwrite", 0, 1).env("KILN_COMMIT_GRACE", "100ms").start();
            fault.wait(1);
            job.signal(Signal::TERM);
            let ended = job.wait();
            ended.exits(143);
            let is_known = !ended.stderr.contains("is not known");
            assert_eq!(
                is_known,
                (part, number) != (STEPS[0].1, STEPS[0].2),
                "{part} {number}: {}",
                ended.stderr
            );
            let is_told = tells_published(&ended);
            assert_eq!(is_told, is_known, "{part} {number}: {}", ended.stderr);
            let is_published = is_published(&place, "overwrite", &before);
            let tells_nothing = ended.json()["message"].as_str().unwrap().contains("nothing published");
            assert!(
                (!is_told || is_published) && (!tells_nothing || !is_published),
                "{part} {number}: {}",
                ended.stderr
            );
            super::folder::wait_until("the late request lands", || fault.done() == 1);
            assert_eq!(place.numbers(), with(&before, if is_published { 0 } else { 1000 }));
        }
    }
}

#[test]
fn a_cancel_before_the_commit_publishes_nothing() {
    for mode in ["error", "overwrite", "append", "replace-partitions"] {
        let place = Place::s3();
        let before = place.prepare(mode);
        let version = place.version();
        let fault = place.server().fault(
            "PUT",
            ".parquet",
            0..usize::MAX,
            Action::LateReply(Duration::from_millis(300)),
        );
        let job = place.attempt(mode, 0, 1).start();
        fault.wait(1);
        job.signal(Signal::TERM);
        let ended = job.wait();
        ended.exits(143);
        assert!(!tells_published(&ended) && !ended.stderr.contains("is not known"), "{}", ended.stderr);
        assert_eq!(place.version(), version, "{mode}");
        assert!(!is_published(&place, mode, &before), "{mode}");
    }
}
