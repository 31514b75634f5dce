//! The commit of one claim as a pure state machine: what is known goes in, what is to be done next comes out.
//!
//! It does no I/O and names no other module, so that a model checker can run it as it is (`tests/commit_model.rs`).
//!
//! ```text
//! Refresh ── may publish ──> Put N ── created ──> End
//!    ^  └────── Ask N ─────┘  │  ^
//!    │                 no clear │  │ nothing is there: the same bytes, the same N
//!    │                 answer  v  │
//!    └── another commit ───── Look N ── ours ──> End
//! ```
//!
//! The claims of newer attempts are in the log, unless there was no table when they claimed it. So who has found no
//! table when it began must ask the head of the output, each time after it has read the log and before it puts a version;
//! all publishes do, because `kiln clean` takes claims in the head alone. The head decides version 0 itself, and records it. Of a later version it is enough that the head knows of no newer
//! claim: whoever claims after that finds the table, and puts its claim into the log.
//!
//! A version is never changed once it is there. So another commit at N means that this one is not, and never will be,
//! at N, even if its request is still on the way; only then is N + 1 tried. An unclear answer is therefore resolved by
//! reading, and nothing is ever cleaned up while it is not resolved.

/// What the log says about a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It may publish.
    Clear,
    /// An older attempt of its run has published.
    AlreadyPublished,
    /// A newer attempt of its run has claimed the table, or published.
    NewerAttempt,
    /// What it would replace was published by a run that began later, or by another writer meanwhile.
    NewerRun,
}

/// What the log holds about the run of a claim: the epochs of its transactions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RunEpochs {
    pub published: Option<u64>,
    pub claimed: Option<u64>,
}

/// A change, since the claim was made, of what the claim replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// A publish under a claim of this epoch.
    Publish(u64),
    /// A change by a writer that makes no claims.
    Foreign,
}

/// Whether a claim of `epoch` may publish.
///
/// `changes` are those that touch what is replaced; an append replaces nothing and has none.
pub fn judge(epoch: u64, run: RunEpochs, changes: impl IntoIterator<Item = Change>) -> Verdict {
    match run.published {
        Some(published) if published > epoch => return Verdict::NewerAttempt,
        Some(_) => return Verdict::AlreadyPublished,
        None => {}
    }
    if run.claimed.is_some_and(|claimed| claimed > epoch) {
        return Verdict::NewerAttempt;
    }
    let is_newer = |change| match change {
        Change::Publish(other) => other > epoch,
        Change::Foreign => true,
    };
    if changes.into_iter().any(is_newer) { Verdict::NewerRun } else { Verdict::Clear }
}

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Read what was committed meanwhile.
    Refresh,
    /// Ask the head of the output whether this commit may be version `version`.
    Ask { version: u64 },
    /// Put the commit as version `version`, if there is none. `in_doubt`: an earlier put of it may still succeed.
    Put { version: u64, in_doubt: bool },
    /// Read version `version`.
    Look { version: u64, in_doubt: bool },
    /// Nothing.
    End(End),
}

/// How a commit ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    Committed {
        version: u64,
    },
    /// It may not publish; it is certain that it did not.
    Stopped(Verdict),
    /// It cannot be put, or time is up; it is certain that it did not publish.
    Failed,
    /// Time is up, and version `version` may become this commit.
    Unknown {
        version: u64,
    },
}

/// What has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// The log was read; the next version would be `next`. `asks`: the head is asked before a version is put; it must be
    /// where there was no table when the driver began.
    Refreshed { next: u64, verdict: Verdict, asks: bool },
    /// The head lets it be the version.
    Allowed,
    /// The version was created.
    Created,
    /// The store has refused the request itself: permission, no space, no conditional put.
    Refused,
    /// Any other answer, or none: even "exists" is the answer to a second try whose first was a success.
    Unclear,
    /// The version is this commit.
    Ours,
    /// The version is another commit.
    Other,
    /// There is no such version.
    Absent,
    /// What was asked for cannot be read now.
    Unreadable,
    /// The time for the commit is up.
    OutOfTime,
}

impl Step {
    /// What to do after `event`, which answers this step.
    pub fn after(self, event: Event) -> Step {
        match (self, event) {
            (Step::Refresh, Event::Refreshed { next, verdict: Verdict::Clear, asks: true }) => {
                Step::Ask { version: next }
            }
            (Step::Refresh, Event::Refreshed { next, verdict: Verdict::Clear, asks: false }) => {
                Step::Put { version: next, in_doubt: false }
            }
            (Step::Ask { version }, Event::Allowed) => Step::Put { version, in_doubt: false },
            (Step::Refresh, Event::Refreshed { verdict, .. }) => Step::End(End::Stopped(verdict)),
            (Step::Put { version, .. }, Event::Created) | (Step::Look { version, .. }, Event::Ours) => {
                Step::End(End::Committed { version })
            }
            (Step::Put { in_doubt: false, .. }, Event::Refused) => Step::End(End::Failed),
            (Step::Put { version, in_doubt: true }, Event::Refused) => Step::Look { version, in_doubt: true },
            (Step::Put { version, .. }, Event::Unclear) => Step::Look { version, in_doubt: true },
            (Step::Ask { .. } | Step::Look { .. }, Event::Other) => Step::Refresh,
            (Step::Look { version, in_doubt }, Event::Absent) => Step::Put { version, in_doubt },
            (
                Step::Put { version, in_doubt: true } | Step::Look { version, in_doubt: true },
                Event::OutOfTime,
            ) => Step::End(End::Unknown { version }),
            (Step::Refresh | Step::Ask { .. } | Step::Put { .. } | Step::Look { .. }, Event::OutOfTime) => {
                Step::End(End::Failed)
            }
            // What cannot be read now is tried again; any other pair makes no sense and changes nothing.
            (step, _) => step,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(events: &[Event]) -> Step {
        events.iter().fold(Step::Refresh, |step, event| step.after(*event))
    }

    const CLEAR: Event = Event::Refreshed { next: 7, verdict: Verdict::Clear, asks: false };
    const NEW: Event = Event::Refreshed { next: 0, verdict: Verdict::Clear, asks: true };

    #[test]
    fn a_lost_reply_is_resolved_by_reading_and_the_same_version_is_put_again() {
        let put_again = Step::Put { version: 7, in_doubt: true };
        assert_eq!(run(&[CLEAR, Event::Unclear, Event::Ours]), Step::End(End::Committed { version: 7 }));
        assert_eq!(run(&[CLEAR, Event::Unclear, Event::Absent]), put_again);
        assert_eq!(run(&[CLEAR, Event::Unclear, Event::Unreadable, Event::Absent]), put_again);
        assert_eq!(run(&[CLEAR, Event::Unclear, Event::Other]), Step::Refresh);
        let end = [CLEAR, Event::Unclear, Event::Absent, Event::OutOfTime];
        assert_eq!(run(&end), Step::End(End::Unknown { version: 7 }));
    }

    #[test]
    fn a_refusal_ends_the_commit_only_if_no_earlier_put_is_in_doubt() {
        assert_eq!(run(&[CLEAR, Event::Refused]), Step::End(End::Failed));
        let look = Step::Look { version: 7, in_doubt: true };
        assert_eq!(run(&[CLEAR, Event::Unclear, Event::Absent, Event::Refused]), look);
        assert_eq!(run(&[Event::Unreadable, Event::OutOfTime]), Step::End(End::Failed));
    }

    #[test]
    fn no_version_of_a_new_table_is_put_before_the_head_allows_it() {
        assert_eq!(run(&[NEW]), Step::Ask { version: 0 });
        assert_eq!(run(&[NEW, Event::Allowed]), Step::Put { version: 0, in_doubt: false });
        assert_eq!(run(&[NEW, Event::Other]), Step::Refresh);
        assert_eq!(run(&[NEW, Event::OutOfTime]), Step::End(End::Failed));
    }

    #[test]
    fn epochs_decide_who_may_publish() {
        let run = |published, claimed| RunEpochs { published, claimed };
        for (of_run, changes, verdict) in [
            (run(None, None), &[][..], Verdict::Clear),
            (run(None, Some(5)), &[], Verdict::Clear),
            (run(None, Some(6)), &[], Verdict::NewerAttempt),
            (run(Some(6), None), &[], Verdict::NewerAttempt),
            (run(Some(4), Some(6)), &[], Verdict::AlreadyPublished),
            (run(None, None), &[Change::Publish(4)], Verdict::Clear),
            (run(None, None), &[Change::Publish(4), Change::Publish(6)], Verdict::NewerRun),
            (run(None, None), &[Change::Foreign], Verdict::NewerRun),
        ] {
            assert_eq!(judge(5, of_run, changes.iter().copied()), verdict, "{of_run:?} {changes:?}");
        }
    }
}
