//! Who may publish: the rules, which do no I/O.
//!
//! 1. An attempt claims its target before it works, and gets an epoch, larger than all before it.
//! 2. A run that has published is not published again. An attempt that counts itself older than the one that has
//!    published is fenced.
//! 3. Of the attempts of one run the one that claimed last may publish; an attempt that counts itself older than the claim
//!    of another is fenced before it works.
//! 4. A publish never removes what a run that began later has published. It is fenced instead.
//! 5. An attempt whose claim is gone, because it was taken or was too old, is fenced: its staging table may be gone, too.

use kiln::connect::is_sabotaged;
use kiln::{Error, Result};

/// Who wants to publish.
#[derive(Clone, Debug)]
pub(crate) struct Publisher {
    /// The table, in one spelling.
    pub(crate) target: String,
    /// The run; nothing for a run without a name: nobody else can be an attempt at it.
    pub(crate) run_id: Option<String>,
    /// Which write of the run to the target it is.
    pub(crate) write_number: u32,
    /// The number of the attempt, where the caller counts.
    pub(crate) attempt: Option<u32>,
    /// A UUID that no other attempt has.
    pub(crate) publish: String,
}

/// The right of an attempt to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) target: String,
    pub(crate) run_id: Option<String>,
    pub(crate) write_number: u32,
    pub(crate) attempt: u32,
    pub(crate) epoch: u64,
    pub(crate) publish: String,
    /// The name of the staging table.
    pub(crate) staging: String,
}

/// What a publish does to the rows that are there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// They stay.
    Append,
    /// All of them go.
    Overwrite,
    /// Those go for which the condition holds.
    Replace(String),
    /// Those with the key of a new row are changed.
    Upsert,
}

/// What was published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) parts: u64,
    pub(crate) rows: u64,
    /// Bytes of the rows as they were sent.
    pub(crate) bytes: u64,
}

/// A row of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) claim: Claim,
    pub(crate) change: Change,
    /// By what the database recognises the rows of this publish, if it can.
    pub(crate) mark: Option<String>,
    /// Nothing before it is published.
    pub(crate) published: Option<Counts>,
}

/// The answer to an attempt that begins.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It may work, as the attempt of this number.
    Attempt(u32),
    /// Its run has published before.
    Published(Counts),
}

/// The answer to an attempt that commits.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It has committed before: the reply to that was lost.
    Committed,
    /// It may publish, if it removes no row of these later publishes.
    Commit(Vec<Entry>),
}

impl Change {
    /// The word in the ledger, and the condition.
    pub(crate) fn words(&self) -> (&'static str, Option<&str>) {
        match self {
            Change::Append => ("append", None),
            Change::Overwrite => ("overwrite", None),
            Change::Replace(predicate) => ("replace", Some(predicate)),
            Change::Upsert => ("upsert", None),
        }
    }

    /// The change of these words; one that is unknown, of a later version, is taken to remove everything.
    pub(super) fn of_words(kind: &str, predicate: Option<String>) -> Change {
        match (kind, predicate) {
            ("append", _) => Change::Append,
            ("replace", Some(predicate)) => Change::Replace(predicate),
            ("upsert", _) => Change::Upsert,
            _ => Change::Overwrite,
        }
    }
}

impl Publisher {
    fn is_of(&self, claim: &Claim) -> bool {
        is_same(self.run_id.as_deref(), self.write_number, claim)
    }

    fn check_not_older(&self, other: &Claim) -> Result<()> {
        match self.attempt.is_some_and(|attempt| attempt < other.attempt) {
            true => Err(fenced(other)),
            false => Ok(()),
        }
    }
}

fn is_same(run_id: Option<&str>, write_number: u32, claim: &Claim) -> bool {
    run_id.is_some() && claim.run_id.as_deref() == run_id && claim.write_number == write_number
}

/// Rules 1 to 3 for an attempt that begins, by the entries of its target.
///
/// # Errors
/// Fenced.
pub(super) fn begin(entries: &[Entry], publisher: &Publisher) -> Result<Answer> {
    let rivals = || entries.iter().filter(|entry| publisher.is_of(&entry.claim));
    let is_fenceless = is_sabotaged("fence");
    if let Some(done) = rivals().find(|entry| entry.published.is_some()).filter(|_| !is_fenceless) {
        publisher.check_not_older(&done.claim)?;
        return Ok(Answer::Published(done.published.unwrap_or_default()));
    }
    let mine = &publisher.publish;
    // Its own claim is there after a reply that was lost.
    let rivals = rivals().filter(|entry| entry.published.is_none() && entry.claim.publish != *mine);
    let last = rivals.map(|entry| &entry.claim).max_by_key(|claim| claim.epoch);
    last.map_or(Ok(()), |last| publisher.check_not_older(last))?;
    let next = last.map_or(1, |last| last.attempt.saturating_add(1));
    Ok(Answer::Attempt(publisher.attempt.unwrap_or(next)))
}

/// Rules 2 to 5 for an attempt that commits, by the entries of its target; `forgotten` is the largest epoch of those that
/// the ledger does not know any more.
///
/// # Errors
/// Fenced.
pub(super) fn judge(entries: &[Entry], forgotten: u64, claim: &Claim, change: &Change) -> Result<Verdict> {
    let own = entries.iter().find(|entry| entry.claim.publish == claim.publish);
    if own.is_some_and(|own| own.published.is_some()) {
        return Ok(Verdict::Committed);
    }
    if is_sabotaged("fence") {
        return Ok(Verdict::Commit(Vec::new()));
    }
    let is_rival = |entry: &&Entry| {
        is_same(claim.run_id.as_deref(), claim.write_number, &entry.claim)
            && entry.claim.publish != claim.publish
    };
    if let Some(newer) = entries.iter().find(is_rival) {
        return Err(fenced(&newer.claim));
    }
    if own.is_none() {
        return Err(claim_lost());
    }
    if *change == Change::Append {
        return Ok(Verdict::Commit(Vec::new()));
    }
    let is_newer = |entry: &&Entry| entry.published.is_some() && entry.claim.epoch > claim.epoch;
    let newer: Vec<Entry> = entries.iter().filter(is_newer).cloned().collect();
    match newer.iter().find(|newer| meets(change, &newer.change)) {
        Some(newer) => Err(fenced_by_run(&newer.claim)),
        None if claim.epoch < forgotten => Err(claim_lost()),
        None => Ok(Verdict::Commit(newer)),
    }
}

/// Whether a publish by `ours` surely undoes a later one by `newer`; else it depends on the rows.
fn meets(ours: &Change, newer: &Change) -> bool {
    match (ours, newer) {
        (Change::Append, _) => false,
        (Change::Overwrite, _) | (_, Change::Overwrite) => true,
        (Change::Replace(ours), Change::Replace(newer)) => ours == newer,
        (Change::Replace(_) | Change::Upsert, _) => false,
    }
}

fn fenced(newer: &Claim) -> Error {
    let error = Error::fenced("a newer attempt of this run has taken over").reason("newer_attempt");
    let error = error.at("run", newer.run_id.as_deref().unwrap_or_default()).at("attempt", newer.attempt);
    error.help("this attempt has published nothing; the newer one decides how the run ends")
}

/// The error of a run that would remove what a later one has published.
pub(crate) fn fenced_by_run(newer: &Claim) -> Error {
    let error = Error::fenced("a run that began later has published here").reason("newer_run_published");
    let error = match &newer.run_id {
        Some(run) => error.at("run", run),
        None => error,
    };
    error.help(
        "its rows are kept, and nothing of this run was published; to publish this run's rows after all, run it again \
         under a new run id",
    )
}

/// The error of an attempt whose claim is gone.
pub(crate) fn claim_lost() -> Error {
    Error::fenced("the right of this attempt to publish is gone").reason("claim_revoked").help(
        "a newer attempt has taken it and has ended, or this one is older than 7 days; nothing of it was published: \
         run the job again",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(run: &str, attempt: u32, epoch: u64, change: Change, is_published: bool) -> Entry {
        let publish = format!("{run}-{attempt}-{epoch}");
        let claim = Claim {
            target: "t".to_owned(),
            run_id: (!run.is_empty()).then(|| run.to_owned()),
            write_number: 0,
            attempt,
            epoch,
            staging: format!("kiln_staging_{publish}"),
            publish,
        };
        let published = is_published.then_some(Counts { parts: 1, rows: epoch, bytes: 0 });
        Entry { claim, change, mark: None, published }
    }

    fn publisher(run: &str, attempt: Option<u32>) -> Publisher {
        Publisher {
            target: "t".to_owned(),
            run_id: (!run.is_empty()).then(|| run.to_owned()),
            write_number: 0,
            attempt,
            publish: "mine".to_owned(),
        }
    }

    fn replace(predicate: &str) -> Change {
        Change::Replace(predicate.to_owned())
    }

    #[test]
    fn a_run_that_has_published_is_told_so_and_an_older_attempt_is_fenced() {
        let entries = [entry("a", 2, 1, Change::Append, true), entry("b", 1, 2, Change::Append, true)];
        let answer = begin(&entries, &publisher("a", Some(2))).unwrap();
        assert_eq!(answer, Answer::Published(Counts { parts: 1, rows: 1, bytes: 0 }));
        assert_eq!(begin(&entries, &publisher("a", None)).unwrap(), answer);
        assert_eq!(begin(&entries, &publisher("a", Some(1))).unwrap_err().class(), kiln::Class::Fenced);
        let second = Publisher { write_number: 1, ..publisher("a", None) };
        assert_eq!(begin(&entries, &second).unwrap(), Answer::Attempt(1), "another write of the run");
        assert_eq!(begin(&entries, &publisher("", None)).unwrap(), Answer::Attempt(1));
    }

    #[test]
    fn the_attempt_that_claims_last_takes_over() {
        let entries = [entry("a", 3, 1, Change::Append, false)];
        assert_eq!(begin(&entries, &publisher("a", None)).unwrap(), Answer::Attempt(4));
        assert_eq!(begin(&entries, &publisher("a", Some(3))).unwrap(), Answer::Attempt(3));
        assert_eq!(begin(&entries, &publisher("a", Some(2))).unwrap_err().reason_word(), "newer_attempt");
    }

    #[test]
    fn an_attempt_without_its_claim_or_with_a_rival_is_fenced() {
        let own = entry("a", 1, 1, Change::Append, false);
        let judged = |entries: &[Entry]| judge(entries, 0, &own.claim, &Change::Append);
        assert_eq!(judged(std::slice::from_ref(&own)).unwrap(), Verdict::Commit(Vec::new()));
        assert_eq!(judged(&[]).unwrap_err().reason_word(), "claim_revoked");
        for is_published in [false, true] {
            let rival = entry("a", 2, 2, Change::Append, is_published);
            assert_eq!(judged(&[rival]).unwrap_err().reason_word(), "newer_attempt");
        }
        let done = Entry { published: Some(Counts::default()), ..own.clone() };
        assert_eq!(judged(&[done]).unwrap(), Verdict::Committed, "the reply to the commit was lost");
    }

    #[test]
    fn a_publish_never_removes_what_a_later_run_has_published() {
        let changes = [Change::Append, Change::Overwrite, replace("a"), replace("b"), Change::Upsert];
        let fenced = |ours: &Change, newer: &Change| {
            let own = entry("a", 1, 1, ours.clone(), false);
            let entries = [own.clone(), entry("b", 1, 2, newer.clone(), true)];
            judge(&entries, 0, &own.claim, ours).is_err()
        };
        let table: Vec<Vec<bool>> =
            changes.iter().map(|ours| changes.iter().map(|newer| fenced(ours, newer)).collect()).collect();
        let (t, f) = (true, false);
        assert_eq!(
            table,
            [[f, f, f, f, f], [t, t, t, t, t], [f, t, t, f, f], [f, t, f, t, f], [f, t, f, f, f]]
        );
        // What depends on the rows is left to the database.
        let own = entry("a", 1, 1, Change::Upsert, false);
        let newer = entry("b", 1, 2, Change::Append, true);
        let verdict = judge(&[own.clone(), newer.clone()], 0, &own.claim, &Change::Upsert).unwrap();
        assert_eq!(verdict, Verdict::Commit(vec![newer]));
        let earlier = entry("b", 1, 0, Change::Overwrite, true);
        assert!(judge(&[own.clone(), earlier], 0, &own.claim, &Change::Overwrite).is_ok());
        assert!(judge(std::slice::from_ref(&own), 2, &own.claim, &Change::Upsert).is_err(), "forgotten");
    }
}
