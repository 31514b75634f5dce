//! The rules, one by one.

use super::*;
use crate::error::Class;

fn publisher(run: &str, attempt: Option<u32>) -> Publisher {
    let identity = Identity { run_id: run.to_owned(), attempt, is_given: !run.is_empty() };
    Publisher { identity, sequence: 0, publish: uuid::Uuid::new_v4().to_string() }
}

fn begin(head: &mut Head<()>, run: &str, attempt: Option<u32>) -> Claim {
    match head.begin(&publisher(run, attempt)).unwrap() {
        Begun::Claimed(claim) => claim,
        Begun::Published(done) => panic!("{done:?}"),
    }
}

fn days(days: &[&str], replaces: bool) -> Scope {
    Scope::of(days.iter().map(|day| format!("day={day}")).collect(), replaces)
}

fn publish(head: &mut Head<()>, claim: &Claim, scope: &Scope) -> Result<u64> {
    head.check(claim, scope)?;
    let output = Output { rows: claim.epoch, ..Output::default() };
    head.publish(claim, scope.clone(), output, BTreeMap::new());
    Ok(head.version)
}

fn is_fenced<T: std::fmt::Debug>(result: Result<T>) -> bool {
    result.unwrap_err().class() == Class::Fenced
}

#[test]
fn a_newer_attempt_fences_an_older_one_before_and_after_it_has_published() {
    for newer_publishes_first in [true, false] {
        let mut head = Head::default();
        let old = begin(&mut head, "nightly", Some(1));
        let new = begin(&mut head, "nightly", Some(2));
        if newer_publishes_first {
            publish(&mut head, &new, &Scope::whole()).unwrap();
        }
        for scope in [Scope::whole(), days(&["1"], true), days(&["1"], false)] {
            assert!(is_fenced(head.check(&old, &scope)));
        }
        assert!(newer_publishes_first || publish(&mut head, &new, &Scope::whole()).is_ok());
    }
}

#[test]
fn a_newer_attempt_that_gave_up_still_fences_the_older_one() {
    let mut head = Head::default();
    let old = begin(&mut head, "nightly", None);
    let new = begin(&mut head, "nightly", None);
    head.withdraw(&new);
    assert!(is_fenced(head.check(&old, &Scope::whole())));
    let third = begin(&mut head, "nightly", None);
    publish(&mut head, &third, &Scope::whole()).unwrap();
}

#[test]
fn an_attempt_that_is_older_than_a_claim_does_not_begin() {
    let mut head = Head::<()>::default();
    begin(&mut head, "nightly", Some(2));
    assert!(is_fenced(head.begin(&publisher("nightly", Some(1)))));
    assert_eq!(begin(&mut head, "nightly", None).attempt, 3);
}

#[test]
fn a_run_that_is_published_is_not_published_again() {
    let mut head = Head::default();
    let first = begin(&mut head, "nightly", None);
    publish(&mut head, &first, &Scope::whole()).unwrap();
    match head.begin(&publisher("nightly", None)).unwrap() {
        Begun::Published(done) => assert_eq!((done.claim, done.output.rows), (first, 1)),
        Begun::Claimed(claim) => panic!("{claim:?}"),
    }
}

#[test]
fn an_attempt_that_is_older_than_the_one_that_has_published_is_fenced() {
    let mut head = Head::default();
    let second = begin(&mut head, "nightly", Some(2));
    publish(&mut head, &second, &Scope::whole()).unwrap();
    assert!(is_fenced(head.begin(&publisher("nightly", Some(1)))));
    for attempt in [Some(2), Some(3), None] {
        let begun = head.begin(&publisher("nightly", attempt)).unwrap();
        assert!(matches!(begun, Begun::Published(_)), "{attempt:?}: {begun:?}");
    }
}

#[test]
fn runs_without_a_given_id_are_different_runs() {
    let mut head = Head::default();
    for version in 1..3 {
        let claim = begin(&mut head, "", None);
        assert_eq!(publish(&mut head, &claim, &days(&["1"], false)).unwrap(), version);
    }
}

#[test]
fn nothing_of_a_run_that_began_later_is_removed() {
    for (later, mine, is_refused) in [
        (Scope::whole(), Scope::whole(), true),
        (days(&["1"], true), days(&["1", "2"], true), true),
        (days(&["1"], false), days(&["1"], true), true),
        (days(&["1"], false), Scope::whole(), true),
        (Scope::whole(), days(&["1"], true), true),
        (days(&["1"], true), days(&["2"], true), false),
        (Scope::whole(), days(&["1"], false), false),
    ] {
        let mut head = Head::default();
        let (old, new) = (begin(&mut head, "a", None), begin(&mut head, "b", None));
        publish(&mut head, &new, &later).unwrap();
        assert_eq!(publish(&mut head, &old, &mine).is_err(), is_refused, "{later:?} {mine:?}");
    }
}

#[test]
fn a_run_that_began_earlier_may_be_replaced() {
    let mut head = Head::default();
    let (old, new) = (begin(&mut head, "a", None), begin(&mut head, "b", None));
    publish(&mut head, &old, &Scope::whole()).unwrap();
    publish(&mut head, &new, &Scope::whole()).unwrap();
}

#[test]
fn an_attempt_whose_claim_was_taken_away_is_fenced_and_the_next_one_is_not() {
    let mut head = Head::default();
    let (old, other) = (begin(&mut head, "a", None), begin(&mut head, "b", None));
    assert_eq!(head.revoke(|claim| *claim == old), std::slice::from_ref(&old));
    for scope in [Scope::whole(), days(&["1"], false)] {
        assert_eq!(head.check(&old, &scope).unwrap_err().reason_word(), "claim_revoked");
    }
    publish(&mut head, &other, &days(&["1"], true)).unwrap();
    let again = begin(&mut head, "a", None);
    publish(&mut head, &again, &days(&["1"], true)).unwrap();
}

#[test]
fn what_a_head_remembers_is_bounded_and_forgotten_publishes_still_fence() {
    let mut head = Head::default();
    let old = begin(&mut head, "old", None);
    for _ in 0..=MAX_PUBLISHES {
        let claim = begin(&mut head, "", None);
        publish(&mut head, &claim, &days(&["1"], false)).unwrap();
    }
    (0..2 * MAX_CLAIMS).for_each(|_| drop(begin(&mut head, "", None)));
    assert_eq!((head.publishes().len(), head.claims.len()), (MAX_PUBLISHES, MAX_CLAIMS));
    assert!(is_fenced(head.check(&old, &days(&["2"], true))));
}

#[test]
fn a_first_version_that_is_decided_is_taken_back_unless_another_attempt_may_put_it() {
    for is_taken in [false, true] {
        let mut head = Head::<()>::default();
        let claim = begin(&mut head, "nightly", None);
        head.decide_first_version(&claim, "{}".to_owned(), Output::default());
        assert_eq!(head.first_version().map(|first| &first.claim), Some(&claim));
        let other = begin(&mut head, "other", None);
        head.end_first_version(&other);
        assert!(!head.take_first_version(&other));
        assert!(!is_taken || head.take_first_version(&claim));
        assert_eq!(head.retract_first_version(&claim), !is_taken);
        assert_eq!(head.first_version().is_some(), is_taken);
        head.end_first_version(&claim);
        assert!(head.first_version().is_none());
    }
}

#[test]
fn a_first_version_that_was_put_is_not_taken_back() {
    let mut head = Head::default();
    let claim = begin(&mut head, "nightly", None);
    head.decide_first_version(&claim, "{}".to_owned(), Output::default());
    publish(&mut head, &claim, &Scope::new_output()).unwrap();
    head.end_first_version(&claim);
    assert!(!head.retract_first_version(&claim));
}

#[test]
fn epochs_go_on_above_those_of_the_log() {
    let mut head = Head::<()>::default();
    head.raise_epoch(41);
    assert_eq!(begin(&mut head, "nightly", None).epoch, 42);
    head.raise_epoch(7);
    assert_eq!(begin(&mut head, "nightly", None).epoch, 43);
}
