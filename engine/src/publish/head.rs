//! The head of an output: what is published there, which attempts are under way, and which of them may publish.
//!
//! Every output has one head, a small JSON document in `_kiln/heads/` beside it, which only changes by compare-and-swap:
//! under a lock on disk (`local`), by a conditional PUT in an object store (`objects`). This file holds the rules and
//! does no I/O:
//!
//! 1. An attempt claims the output before it works, and gets an epoch, larger than all before it.
//! 2. A run that is published is not published again: its next attempt gets the record of what was published.
//! 3. Of the attempts of one run the one that claimed last may publish. The others are fenced, also when that one has given
//!    up. An attempt that counts itself older than the claim of another is fenced before it works.
//! 4. A publish never removes what a run that began later has published. It is fenced instead.
//! 5. An attempt whose claim was taken away, because it had not written for long, is fenced: its files may be gone.
//!
//! Clocks, process ids and host names decide nothing. Epochs as fencing tokens are described in Kleppmann, "How to do
//! distributed locking" (2016); the transaction identifiers of Delta Lake's protocol serve the same end.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::failpoint;
use crate::job::{Identity, Output};

/// Publishes that a head remembers. An attempt older than the forgotten ones is fenced.
const MAX_PUBLISHES: usize = 1000;
/// Claims that a head remembers: attempts that were killed never withdraw theirs. An attempt is fenced when so many
/// others have begun after it.
const MAX_CLAIMS: usize = 4096;
/// Publishes whose claims were taken that a head remembers, for their error.
const MAX_REVOKED: usize = 256;
/// Partitions that an append names; one that touches more is taken to touch all.
const MAX_PARTITIONS: usize = 1000;

/// Who asks to publish.
#[derive(Clone, Debug)]
pub struct Publisher {
    /// The run and the attempt.
    pub identity: Identity,
    /// Which write of the run to this output it is, from 0 up.
    pub sequence: u32,
    /// A UUID that no other publish has.
    pub publish: String,
}

/// The right of one attempt to publish, until a newer attempt of its run takes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The run; `None` for a run id that was not given: nobody else can be an attempt at it.
    pub run_id: Option<String>,
    /// Which write of the run to this output it is.
    pub sequence: u32,
    /// The number of the attempt, from 1 up.
    pub attempt: u32,
    /// Counts the claims of this output.
    pub epoch: u64,
    /// The UUID of the publish.
    pub publish: String,
}

/// What a publish changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// The partitions that it touches, such as `day=7/city=Bern`; `None` for the whole output.
    pub partitions: Option<BTreeSet<String>>,
    /// Whether what was there is removed.
    pub replaces: bool,
}

/// One publish, as it is remembered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Published {
    /// Who published.
    pub claim: Claim,
    /// The version of the output that it made, from 1 up.
    pub version: u64,
    /// What it changed.
    pub scope: Scope,
    /// What it reported.
    pub output: Output,
    /// The job's counters at that time.
    pub counters: BTreeMap<String, u64>,
}

/// What is known of an output, with the `state` that its kind of store needs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Head<S> {
    /// Different after every change, so that no two heads have the same bytes, and no ETag comes back.
    nonce: String,
    /// Counts the publishes.
    pub version: u64,
    /// The epoch of the last claim.
    epoch: u64,
    /// The largest epoch of the publishes that were forgotten.
    forgotten: u64,
    claims: Vec<Claim>,
    publishes: Vec<Published>,
    /// The publishes whose claims were taken, oldest first.
    revoked: Vec<String>,
    /// What the store needs beside.
    pub state: S,
}

/// The answer to an attempt that begins.
#[derive(Debug, PartialEq)]
pub enum Begun {
    /// It may work.
    Claimed(Claim),
    /// Its run is published already.
    Published(Box<Published>),
}

impl Claim {
    /// Whether it is an attempt at this write of the run; nobody is an attempt at a run without an id.
    fn is_of(&self, run_id: Option<&str>, sequence: u32) -> bool {
        run_id.is_some() && self.run_id.as_deref() == run_id && self.sequence == sequence
    }
}

impl Scope {
    /// The whole output, replaced.
    pub fn whole() -> Scope {
        Scope { partitions: None, replaces: true }
    }

    /// The whole output, where none was before.
    pub fn new_output() -> Scope {
        Scope { partitions: None, replaces: false }
    }

    /// Some partitions of it.
    pub fn of(partitions: BTreeSet<String>, replaces: bool) -> Scope {
        // What is replaced must be named in full; what is only added to may be taken to be everything.
        let partitions = (partitions.len() <= MAX_PARTITIONS || replaces).then_some(partitions);
        Scope { partitions, replaces }
    }

    /// Whether the file `name` of the output is removed by such a publish.
    pub fn removes(&self, name: &str) -> bool {
        let is_in =
            |folder: &String| name.strip_prefix(folder.as_str()).is_some_and(|rest| rest.starts_with('/'));
        self.replaces && self.partitions.as_ref().is_none_or(|partitions| partitions.iter().any(is_in))
    }

    fn meets(&self, other: &Scope) -> bool {
        match (&self.partitions, &other.partitions) {
            // An expected partition may be a folder around another publish's partitions.
            (Some(ours), Some(others)) => {
                let is_in = |one: &str, other: &str| {
                    one.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
                };
                ours.iter().any(|one| others.iter().any(|other| is_in(one, other) || is_in(other, one)))
            }
            _ => true,
        }
    }
}

impl<S> Head<S> {
    /// Claims the output for `publisher` (rules 1 to 3).
    ///
    /// # Errors
    /// Fenced when a newer attempt of the run has claimed it.
    pub fn begin(&mut self, publisher: &Publisher) -> Result<Begun> {
        let Identity { run_id, attempt, is_given } = &publisher.identity;
        let run_id = is_given.then(|| run_id.clone());
        let is_same = |claim: &Claim| claim.is_of(run_id.as_deref(), publisher.sequence);
        if let Some(done) = self.publishes.iter().rev().find(|done| is_same(&done.claim)) {
            return Ok(Begun::Published(Box::new(done.clone())));
        }
        let rival = self.rival(publisher);
        let attempt = attempt.unwrap_or_else(|| rival.map_or(1, |rival| rival.attempt.saturating_add(1)));
        if let Some(newer) = rival.filter(|rival| rival.attempt > attempt) {
            return Err(fenced(newer));
        }
        self.claims.retain(|claim| !is_same(claim));
        self.epoch += 1;
        let (sequence, publish, epoch) = (publisher.sequence, publisher.publish.clone(), self.epoch);
        let claim = Claim { run_id, sequence, attempt, epoch, publish };
        self.claims.push(claim.clone());
        let surplus = self.claims.len().saturating_sub(MAX_CLAIMS);
        self.claims.drain(..surplus);
        self.changed();
        Ok(Begun::Claimed(claim))
    }

    /// The claim of another attempt of the run, which may be alive.
    pub fn rival(&self, publisher: &Publisher) -> Option<&Claim> {
        let Identity { run_id, is_given, .. } = &publisher.identity;
        let run_id = is_given.then_some(run_id.as_str());
        self.claims.iter().rev().find(|claim| claim.is_of(run_id, publisher.sequence))
    }

    /// Whether `claim` may publish (rules 3 to 5).
    ///
    /// # Errors
    /// Fenced.
    pub fn check(&self, claim: &Claim, scope: &Scope) -> Result<()> {
        if failpoint::is_sabotaged("fence") {
            return Ok(());
        }
        let is_rival = |other: &&Claim| {
            other.is_of(claim.run_id.as_deref(), claim.sequence) && other.publish != claim.publish
        };
        let done = self.publishes.iter().map(|done| &done.claim);
        if let Some(newer) = done.chain(&self.claims).find(is_rival) {
            return Err(fenced(newer));
        }
        if !self.has_claim(claim) {
            return Err(self.lost_claim(claim));
        }
        if !scope.replaces {
            return Ok(());
        }
        let newer =
            self.publishes.iter().find(|done| done.claim.epoch > claim.epoch && done.scope.meets(scope));
        if newer.is_none() && claim.epoch >= self.forgotten {
            return Ok(());
        }
        let error = fenced_by_run();
        Err(match newer {
            Some(newer) => error.at("version", newer.version),
            None => error,
        })
    }

    /// The publish that has this UUID, if the head remembers it.
    pub fn published_as(&self, publish: &str) -> Option<&Published> {
        self.publishes.iter().rev().find(|done| done.claim.publish == publish)
    }

    /// The publishes that are remembered, oldest first.
    pub fn publishes(&self) -> &[Published] {
        &self.publishes
    }

    /// Why a claim is not there any more: it was taken, or a newer attempt took over and has given up since.
    fn lost_claim(&self, claim: &Claim) -> Error {
        let Some(run) = claim.run_id.as_deref().filter(|_| !self.revoked.contains(&claim.publish)) else {
            return revoked();
        };
        let error = Error::fenced("a newer attempt of this run has taken over, and has ended");
        let error = error.reason("newer_attempt").at("run", run);
        error.help("this attempt has published nothing; run the job again")
    }

    /// Whether an attempt may be under way.
    pub fn has_claim(&self, claim: &Claim) -> bool {
        self.claims.contains(claim)
    }

    /// The attempts that may be under way.
    pub fn claims(&self) -> &[Claim] {
        &self.claims
    }

    /// Takes the claims for which `is_given_up` holds, and returns them.
    pub fn revoke(&mut self, mut is_given_up: impl FnMut(&Claim) -> bool) -> Vec<Claim> {
        let revoked: Vec<Claim> = self.claims.extract_if(.., |claim| is_given_up(claim)).collect();
        if !revoked.is_empty() {
            self.revoked.extend(revoked.iter().map(|claim| claim.publish.clone()));
            let surplus = self.revoked.len().saturating_sub(MAX_REVOKED);
            self.revoked.drain(..surplus);
            self.changed();
        }
        revoked
    }

    /// The largest number of an attempt of the run.
    pub fn last_attempt(&self, run_id: &str) -> Option<u32> {
        let claims = self.publishes.iter().map(|done| &done.claim).chain(&self.claims);
        claims.filter(|claim| claim.run_id.as_deref() == Some(run_id)).map(|claim| claim.attempt).max()
    }

    /// Whether it knows of no publish and of no attempt.
    pub fn is_empty(&self) -> bool {
        self.version == 0 && self.claims.is_empty()
    }

    /// Adds a publish, which ends its claim. The caller has asked [`check`](Head::check).
    pub fn publish(&mut self, claim: &Claim, scope: Scope, output: Output, counters: BTreeMap<String, u64>) {
        self.claims.retain(|other| other != claim);
        self.version += 1;
        self.publishes.push(Published {
            claim: claim.clone(),
            version: self.version,
            scope,
            output,
            counters,
        });
        let surplus = self.publishes.len().saturating_sub(MAX_PUBLISHES);
        let forgotten = self.publishes.drain(..surplus).map(|done| done.claim.epoch).max();
        self.forgotten = self.forgotten.max(forgotten.unwrap_or(0));
        self.changed();
    }

    /// Ends the claim of an attempt that does not publish.
    pub fn withdraw(&mut self, claim: &Claim) {
        self.claims.retain(|other| other != claim);
        self.changed();
    }

    /// Forgets the publishes: the output was removed. Claims and epochs stay.
    pub fn forget(&mut self) {
        self.publishes.clear();
        self.changed();
    }

    /// Marks the head as changed; to be called after a change of `state` alone.
    pub fn changed(&mut self) {
        self.nonce = uuid::Uuid::new_v4().to_string();
    }

    /// What tells this head from all others.
    pub fn nonce(&self) -> &str {
        &self.nonce
    }
}

fn fenced(newer: &Claim) -> Error {
    fenced_by_attempt(newer).at("attempt", newer.attempt)
}

/// The error of an attempt whose run, that of `claim`, has a newer one.
pub fn fenced_by_attempt(claim: &Claim) -> Error {
    Error::fenced("a newer attempt of this run has taken over")
        .reason("newer_attempt")
        .at("run", claim.run_id.as_deref().unwrap_or_default())
        .help("this attempt has published nothing; the newer one decides how the run ends")
}

/// The error of a run that would remove what a later one has published.
pub fn fenced_by_run() -> Error {
    Error::fenced("a run that began later has published here").reason("newer_run_published").help(
        "its rows are kept, and nothing of this run was published; to publish this run's rows after all, run it again \
         under a new run id",
    )
}

fn revoked() -> Error {
    Error::fenced("the right of this attempt to publish was taken away").reason("claim_revoked").help(
        "`kiln clean` took it for dead, as it had not written for longer than the grace; run the job again, and clean with \
         a longer grace",
    )
}

#[cfg(test)]
mod model;

#[cfg(test)]
mod tests {
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
}
