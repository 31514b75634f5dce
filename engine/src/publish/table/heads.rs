//! The head of a table, on disk or in a store, as publishing to the table needs it.

use std::path::PathBuf;

use bytes::Bytes;

use crate::error::{Error, Result};
use crate::failpoint;
use crate::job::{Output, Run};
use crate::publish::delta::{Carried, Coordinator, DeltaTable, Log, carry_out};
use crate::publish::form;
use crate::publish::head::{Begun, Claim, FirstVersion, Head, Publisher, Scope};
use crate::publish::local::{self, locked::LockedHead};
use crate::publish::objects::head_object::{Change, HeadObject};
use crate::publish::objects::{Stored, tag_of};
use crate::source::Location;

/// First versions of others that one attempt carries out before it gives up: each is there then, unless its table is
/// removed at once.
const MAX_FIRST_VERSIONS: usize = 10;

/// The head of a table.
pub enum Heads {
    /// Beside a folder.
    Disk(PathBuf),
    /// Beside a prefix.
    Store(HeadObject),
}

/// An attempt that commits; while the table is new, the head decides for it.
pub struct Attempt<'a> {
    pub heads: &'a Heads,
    pub claim: &'a Claim,
    pub log: Log,
    pub output: &'a Output,
    pub run: &'a Run,
}

/// What an attempt finds that claims the output.
enum Met {
    Nothing(Begun, bool),
    /// A first version that is decided and may not be put yet.
    First(Box<FirstVersion>),
    /// A log that was not there before.
    Log,
}

/// How a publish has ended.
#[derive(Clone, Copy)]
pub enum End<'a> {
    Published(&'a Output),
    /// `is_clean`: none of its files is left.
    GivenUp {
        is_clean: bool,
    },
}

impl Heads {
    /// The head of the output.
    pub fn of(output: &Location) -> Result<Heads> {
        match output.local_path() {
            Some(target) => Ok(Heads::Disk(target)),
            None => HeadObject::of(&output.store, &output.path).map(Heads::Store),
        }
    }

    /// Claims the output, after a first version that is decided was carried out; also whether another attempt of the run
    /// had claimed it.
    ///
    /// # Errors
    /// Fenced after a newer attempt; else by the failing request.
    pub fn begin(&self, publisher: &Publisher, table: &mut DeltaTable, run: &Run) -> Result<(Begun, bool)> {
        for _ in 0..MAX_FIRST_VERSIONS {
            let (is_there, last_epoch) = (table.version().is_some(), table.last_epoch());
            let met = self.change(run, |head, stored| {
                if let Some(first) = head.first_version() {
                    return Ok(Change::Keep(Met::First(Box::new(first.clone()))));
                }
                if !is_there {
                    // The head is the newer knowledge: what it counts on may have come since the log was read.
                    if table.log().exists()? {
                        return Ok(Change::Keep(Met::Log));
                    }
                    if is_plain(table.log(), stored.as_deref())? {
                        return Err(form::is_plain().at("output", table.uri()));
                    }
                    // Somebody has removed the table: it is not published any more.
                    head.forget();
                }
                head.raise_epoch(last_epoch);
                let has_rival = head.rival(publisher).is_some();
                let begun = head.begin(publisher)?;
                if let Some(stored) = stored {
                    claim_in(stored, &begun, is_there);
                }
                Ok(Change::Put(Met::Nothing(begun, has_rival)))
            })?;
            match met {
                Met::Nothing(begun, has_rival) => return Ok((begun, has_rival)),
                Met::First(first) => self.carry_out(table.log(), &first, run)?,
                Met::Log => {}
            }
            table.refresh()?;
        }
        Err(Error::transient("the table is created and removed again and again").reason("commit_in_progress"))
    }

    /// Whether `claim` may publish what replaces nothing.
    ///
    /// # Errors
    /// Fenced; else by the failing request.
    pub fn check(&self, claim: &Claim, run: &Run) -> Result<()> {
        self.change(run, |head, _| head.check(claim, &Scope::new_output()).map(Change::Keep))
    }

    /// The claim of another attempt of the run.
    ///
    /// # Errors
    /// By the failing request.
    pub fn rival(&self, publisher: &Publisher) -> Result<Option<Claim>> {
        Ok(match self {
            Heads::Disk(target) => local::peek(target)?.rival(publisher).cloned(),
            Heads::Store(object) => object.read()?.0.rival(publisher).cloned(),
        })
    }

    /// Ends a claim.
    pub fn end(&self, claim: &Claim, end: End<'_>) {
        let ended = match self {
            // The lock may be another job's: then the claim stays.
            Heads::Disk(target) => LockedHead::try_take(target).and_then(|locked| {
                let Some(mut locked) = locked else { return Ok(()) };
                locked.head.without_state(|head| end_in(head, claim, end));
                locked.save(false)
            }),
            Heads::Store(object) => object.change(|head| {
                head.without_state(|head| end_in(head, claim, end));
                if !matches!(end, End::GivenUp { is_clean: false }) {
                    head.state.forget(&tag_of(claim));
                }
                Ok(Change::Put(()))
            }),
        };
        // The log has what counts: a claim that stays does no harm.
        if let Err(error) = ended {
            log::debug!("the claim stays: {error}");
        }
    }

    /// Puts the first version that another attempt has decided, which may be dead or at work.
    fn carry_out(&self, log: &Log, first: &FirstVersion, run: &Run) -> Result<()> {
        let is_left = self.change(run, |head, _| {
            Ok(match head.take_first_version(&first.claim) {
                true => Change::Put(true),
                false => Change::Keep(false),
            })
        })?;
        if !is_left {
            return Ok(());
        }
        let carried = carry_out(log, &first.commit)?;
        self.change(run, |head, stored| {
            let (claim, output) = (&first.claim, first.output.clone());
            if carried == Carried::Out && head.published_as(&claim.publish).is_none() {
                head.publish(claim, Scope::new_output(), output, Default::default());
            }
            head.end_first_version(claim);
            if let Some(stored) = stored.filter(|_| carried == Carried::Out) {
                stored.forget(&tag_of(claim));
            }
            Ok(Change::Put(()))
        })
    }

    /// Puts a first version that is decided and whose attempt may be dead, for whoever is about to publish plain files.
    ///
    /// # Errors
    /// By the failing request.
    pub fn carry_out_first(&self, output: &Location, run: &Run) -> Result<()> {
        let first = self.change(run, |head, _| Ok(Change::Keep(head.first_version().cloned())))?;
        first.map_or(Ok(()), |first| self.carry_out(&Log::at(output), &first, run))
    }

    /// Changes the head; in a store with what that keeps beside.
    fn change<T>(
        &self,
        run: &Run,
        mut change: impl FnMut(&mut Head<()>, Option<&mut Stored>) -> Result<Change<T>>,
    ) -> Result<T> {
        match self {
            Heads::Disk(target) => {
                let mut locked = LockedHead::take(target, run)?;
                local::recover(&mut locked, target)?;
                match locked.head.without_state(|head| change(head, None))? {
                    Change::Keep(done) | Change::KeepIfCurrent(done) => Ok(done),
                    Change::Put(done) => locked.save(true).map(|()| done),
                }
            }
            Heads::Store(object) => object.change(|head| {
                let mut stored = std::mem::take(&mut head.state);
                let changed = head.without_state(|head| change(head, Some(&mut stored)));
                head.state = stored;
                changed
            }),
        }
    }
}

impl Coordinator for Attempt<'_> {
    fn allow(&self, version: u64, commit: &Bytes) -> Result<bool> {
        let claim = self.claim;
        let commit = std::str::from_utf8(commit).map_err(|e| Error::bug("a commit is no text").because(e))?;
        let other = self.heads.change(self.run, |head, stored| {
            let is_decided = head.first_version().is_some_and(|first| first.claim == *claim);
            if version == 0 && (is_decided || head.published_as(&claim.publish).is_some()) {
                // The reply to this very change was lost, and others may have acted on it.
                return Ok(Change::Keep(None));
            }
            head.check(claim, &Scope::new_output())?;
            match head.first_version() {
                _ if version > 0 => Ok(Change::Keep(None)),
                Some(other) => Ok(Change::Keep(Some(other.clone()))),
                None if is_plain(&self.log, stored.as_deref())? => Err(form::is_plain()),
                None => {
                    head.decide_first_version(claim, commit.to_owned(), self.output.clone());
                    Ok(Change::Put(None))
                }
            }
        })?;
        match other {
            Some(other) => self.heads.carry_out(&self.log, &other, self.run).map(|()| false),
            None => {
                failpoint::reached("commit.decided");
                Ok(true)
            }
        }
    }

    fn retract(&self) -> Result<bool> {
        self.heads.change(self.run, |head, _| {
            let is_decided = head.first_version().is_some_and(|first| first.claim == *self.claim);
            Ok(match head.retract_first_version(self.claim) {
                true if is_decided => Change::Put(true),
                is_certain => Change::Keep(is_certain),
            })
        })
    }
}

/// Whether plain files are published where a table is to be: by the head of a store, or by their manifest. A plain output
/// that has settled and lost its manifest was removed.
fn is_plain(log: &Log, stored: Option<&Stored>) -> Result<bool> {
    match stored {
        Some(stored) if stored.is_plain() && !stored.is_settled() => Ok(true),
        _ => log.has_manifest(),
    }
}

/// Notes in a store what a claim means for whoever lists the folder.
fn claim_in(stored: &mut Stored, begun: &Begun, is_there: bool) {
    // Opening the table has found no manifest.
    if !is_there && stored.is_settled() {
        stored.forget_removed();
    }
    if let Begun::Claimed(claim) = begun {
        // Listings leave out the files of a publish that comes to nothing.
        stored.note(&tag_of(claim));
    }
}

fn end_in(head: &mut Head<()>, claim: &Claim, end: End<'_>) {
    head.end_first_version(claim);
    match end {
        End::Published(output) if head.has_claim(claim) => {
            head.publish(claim, Scope::new_output(), output.clone(), Default::default());
        }
        _ => head.withdraw(claim),
    }
}
