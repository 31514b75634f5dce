//! The head of an output: what is published there, which attempts are under way, and which of them may publish.
//!
//! Every output has one head, a small JSON document in `_kiln/heads/` beside it, which only changes by compare-and-swap:
//! under a lock on disk (`local`), by a conditional PUT in an object store (`objects`). This file holds the rules and
//! does no I/O:
//!
//! 1. An attempt claims the output before it works, and gets an epoch, larger than all before it.
//! 2. A run that is published is not published again: its next attempt gets the record of what was published. One that counts
//!    itself older than the attempt that has published is fenced.
//! 3. Of the attempts of one run the one that claimed last may publish. The others are fenced, also when that one has given
//!    up. An attempt that counts itself older than the claim of another is fenced before it works.
//! 4. A publish never removes what a run that began later has published. It is fenced instead.
//! 5. An attempt whose claim was taken away, because it had not written for long, is fenced: its files may be gone.
//! 6. The first version of a table is decided here, because there is no log yet that could fence an attempt: the head records
//!    the commit itself, by rule 3. It is put by its publish, or by whoever meets the record first, before anything else.
//!
//! An epoch is also larger than all in the log of a table, as that outlives a head that is lost.
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

/// The first version of a table: decided, and maybe not put into its log yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FirstVersion {
    /// Who publishes.
    pub claim: Claim,
    /// The commit, as it is put.
    pub commit: String,
    /// What is reported.
    pub output: Output,
    /// Whether another attempt may be putting it, so that it cannot be taken back.
    is_taken: bool,
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    first_version: Option<FirstVersion>,
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

impl Publisher {
    /// Fences an attempt that counts itself older than `other`, another one of its run.
    ///
    /// # Errors
    /// Fenced.
    pub fn check_not_older(&self, other: &Claim) -> Result<()> {
        match self.identity.attempt.is_some_and(|attempt| attempt < other.attempt) {
            true => Err(fenced(other)),
            false => Ok(()),
        }
    }
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
        let is_fenceless = failpoint::is_sabotaged("fence");
        let mut done = self.publishes.iter().rev().filter(|_| !is_fenceless);
        if let Some(done) = done.find(|done| is_same(&done.claim)) {
            publisher.check_not_older(&done.claim)?;
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
        let error = Error::fenced("a run that began later has published here");
        let error = error.reason("newer_run_published").help(
            "its rows are kept, and nothing of this run was published; to publish this run's rows after all, run it again \
             under a new run id",
        );
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
        self.version == 0 && self.claims.is_empty() && self.first_version.is_none()
    }

    /// Makes the epochs of later claims larger than `epoch`.
    pub fn raise_epoch(&mut self, epoch: u64) {
        self.epoch = self.epoch.max(epoch);
    }

    /// The first version of the table, if it is decided and may not be put yet (rule 6).
    pub fn first_version(&self) -> Option<&FirstVersion> {
        self.first_version.as_ref()
    }

    /// Decides the first version. The caller has asked [`check`](Head::check), and found none that is decided.
    pub fn decide_first_version(&mut self, claim: &Claim, commit: String, output: Output) {
        self.first_version = Some(FirstVersion { claim: claim.clone(), commit, output, is_taken: false });
        self.changed();
    }

    /// Marks the first version of `claim` as one that another attempt puts; returns whether it is still to be put.
    pub fn take_first_version(&mut self, claim: &Claim) -> bool {
        let first = self.first_version.as_mut().filter(|first| first.claim == *claim);
        let is_there = first.map(|first| first.is_taken = true).is_some();
        self.changed();
        is_there
    }

    /// Forgets that the first version of `claim` is decided: it was put, or never will be.
    pub fn end_first_version(&mut self, claim: &Claim) {
        self.first_version.take_if(|first| first.claim == *claim);
        self.changed();
    }

    /// Takes the decision for `claim` back; returns whether it is certain that nobody puts its first version.
    pub fn retract_first_version(&mut self, claim: &Claim) -> bool {
        let taken = self.first_version.as_ref().filter(|first| first.claim == *claim && first.is_taken);
        if taken.is_some() || self.published_as(&claim.publish).is_some() {
            return false;
        }
        self.end_first_version(claim);
        true
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

    /// Lets `change` work on what does not depend on the kind of store.
    pub fn without_state<T>(&mut self, change: impl FnOnce(&mut Head<()>) -> T) -> T
    where
        S: Default,
    {
        let (mut head, state) = std::mem::take(self).with_state(());
        let done = change(&mut head);
        *self = head.with_state(state).0;
        done
    }

    fn with_state<R>(self, state: R) -> (Head<R>, S) {
        let Head { nonce, version, epoch, forgotten, claims, publishes, revoked, first_version, state: old } =
            self;
        (Head { nonce, version, epoch, forgotten, claims, publishes, revoked, first_version, state }, old)
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
    Error::fenced("a newer attempt of this run has taken over")
        .reason("newer_attempt")
        .at("run", newer.run_id.as_deref().unwrap_or_default())
        .at("attempt", newer.attempt)
        .help("this attempt has published nothing; the newer one decides how the run ends")
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
mod tests;
