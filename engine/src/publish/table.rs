//! Publishing a Delta table: the output's head gives the claim, the table's log takes the commit (`delta`).
//!
//! The log decides: it has the fence, the identity and the files of a version in one object. The head gives out epochs,
//! and fences older attempts while there is no table yet. What it remembers of publishes saves a retry the log.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::delta::{Committed, DeltaTable, Publish};
use super::head::{Begun, Claim, Head, Publisher, Scope};
use super::local::locked::LockedHead;
use super::objects::head_object::{Change, HeadObject};
use super::objects::{probe, remove_tagged, tag_of};
use super::{Begin, OutputFile, Place, Publication, Request, TableColumns, is_unknown};
use crate::error::{Error, Result};
use crate::failpoint;
use crate::job::{CleanupGuard, CommitGuard, Output, Run};
use crate::source::Location;

/// A version of a table that is being made.
pub struct TablePublication {
    output: Location,
    table: DeltaTable,
    columns: TableColumns,
    request: Request,
    claim: Claim,
    run: Arc<Run>,
    /// Whether the files may be removed: from the commit on only who knows its outcome may.
    removable: Arc<Mutex<bool>>,
    _cleanup: CleanupGuard,
}

impl TablePublication {
    /// Prepares to publish a version of the table at `output`.
    ///
    /// # Errors
    /// Config when the mode does not allow what is there or the store has no conditional PUT, fenced after a newer
    /// attempt; else by the failing request.
    pub fn begin(output: Location, request: Request, publisher: &Publisher, run: &Arc<Run>) -> Result<Begin> {
        let Some(columns) = request.table.clone() else { return Err(Error::bug("a table without columns")) };
        if !output.store.is_local() {
            probe::check(&output.store, &output.path).map_err(|e| e.at("output", output.uri()))?;
        }
        // Before the claim, so that every commit under a higher epoch is later than what is seen here.
        let mut table = DeltaTable::open(&output)?;
        let heads = Heads::of(&output)?;
        let (claim, has_rival) = match heads.begin(publisher, table.version().is_some(), run)? {
            // The log knows the version, and the counters.
            (Begun::Published(done), _) => {
                return Ok(Begin::Published(table.published(&done.claim)?.map_or(done, Box::new)));
            }
            (Begun::Claimed(claim), has_rival) => (claim, has_rival),
        };
        let begun = begin_at(&mut table, &claim, has_rival, &request, run);
        if !matches!(begun, Ok(None)) {
            heads.end(&claim, None);
        }
        if let Some(answer) = begun? {
            return Ok(answer);
        }
        failpoint::reached("claimed");
        let removable = Arc::new(Mutex::new(true));
        let (gate, at, tag) = (Arc::clone(&removable), output.clone(), tag_of(&claim));
        let cleanup = run.cleanup.register(Box::new(move || {
            if gate.try_lock().is_ok_and(|removable| *removable) {
                remove_tagged(&at.store, &at.path, &tag, &[]);
            }
        }));
        let run = Arc::clone(run);
        let publication =
            TablePublication { output, table, columns, request, claim, run, removable, _cleanup: cleanup };
        Ok(Begin::Begun(Publication::Table(Box::new(publication))))
    }

    /// The claim of this attempt.
    pub fn claim(&self) -> &Claim {
        &self.claim
    }

    /// Where tasks write their files.
    pub fn place(&self) -> Place {
        Place::Final { address: self.output.address(), tag: tag_of(&self.claim) }
    }

    /// Publishes `files`, and no others, as the next version.
    ///
    /// # Errors
    /// As [`DeltaTable::commit`].
    pub fn commit(mut self, guard: &CommitGuard, partitions: u64, files: Vec<OutputFile>) -> Result<()> {
        failpoint::reached("commit.ready");
        // While there is no table, its log cannot fence this attempt.
        Heads::of(&self.output)?.check(&self.claim, &self.run)?;
        let output = super::output(self.output.uri(), partitions, &files);
        let TableColumns { schema, partition_by } = self.columns.clone();
        let publish = Publish {
            claim: &self.claim,
            mode: self.request.mode,
            schema: &schema,
            partition_by: &partition_by,
            files: &files,
            expected: &self.request.expected,
            output: output.clone(),
            counters: self.run.facts().counters,
        };
        self.set_removable(false);
        match self.table.commit(&publish, &self.run.cancel) {
            Ok(Committed::Version(version)) => {
                failpoint::reached("commit.published");
                self.request.report(&self.run, output.clone(), version);
                guard.decided();
                Heads::of(&self.output)?.end(&self.claim, Some(&output));
            }
            Ok(Committed::Already(done)) => {
                self.set_removable(true);
                self.request.report(&self.run, done.output, done.version);
            }
            Err(error) => {
                self.set_removable(!is_unknown(&error));
                return Err(error);
            }
        }
        Ok(())
    }

    fn set_removable(&self, is_removable: bool) {
        *self.removable.lock().unwrap_or_else(PoisonError::into_inner) = is_removable;
    }
}

impl Drop for TablePublication {
    fn drop(&mut self) {
        if *self.removable.lock().unwrap_or_else(PoisonError::into_inner) {
            remove_tagged(&self.output.store, &self.output.path, &tag_of(&self.claim), &[]);
            if let Ok(heads) = Heads::of(&self.output) {
                heads.end(&self.claim, None);
            }
        }
    }
}

/// What there is to say before the rows are computed; `None` when they are wanted.
fn begin_at(
    table: &mut DeltaTable,
    claim: &Claim,
    has_rival: bool,
    request: &Request,
    run: &Run,
) -> Result<Option<Begin>> {
    if let Some(done) = table.published(claim)? {
        return Ok(Some(Begin::Published(Box::new(done))));
    }
    if !table.check(request.mode)? {
        return Ok(Some(Begin::Skipped("the output exists")));
    }
    if has_rival {
        // Older attempts of the run are fenced by the log itself.
        if let Committed::Already(done) = table.claim(claim, &run.cancel)? {
            return Ok(Some(Begin::Published(done)));
        }
    }
    Ok(None)
}

/// The head of a table, on disk or in a store.
enum Heads {
    Disk(PathBuf),
    Store(HeadObject),
}

impl Heads {
    fn of(output: &Location) -> Result<Heads> {
        match output.local_path() {
            Some(target) => Ok(Heads::Disk(target)),
            None => HeadObject::of(&output.store, &output.path).map(Heads::Store),
        }
    }

    /// Claims the output; also whether another attempt of the run had claimed it.
    fn begin(&self, publisher: &Publisher, is_there: bool, run: &Run) -> Result<(Begun, bool)> {
        match self {
            Heads::Disk(target) => {
                let mut locked = LockedHead::take(target, run)?;
                let begun = begin_in(&mut locked.head, publisher, is_there)?;
                locked.save(true)?;
                Ok(begun)
            }
            Heads::Store(object) => {
                object.change(|head| begin_in(head, publisher, is_there).map(Change::Put))
            }
        }
    }

    fn check(&self, claim: &Claim, run: &Run) -> Result<()> {
        match self {
            Heads::Disk(target) => LockedHead::take(target, run)?.head.check(claim, &Scope::new_output()),
            Heads::Store(object) => object.read()?.0.check(claim, &Scope::new_output()),
        }
    }

    /// Ends a claim that was published as `output`, or was given up.
    fn end(&self, claim: &Claim, output: Option<&Output>) {
        let ended = match self {
            Heads::Disk(target) => LockedHead::try_take(target).and_then(|locked| {
                locked.map_or(Ok(()), |mut locked| {
                    end_in(&mut locked.head, claim, output);
                    locked.save(false)
                })
            }),
            Heads::Store(object) => object.change(|head| {
                end_in(head, claim, output);
                Ok(Change::Put(()))
            }),
        };
        // The log has what counts: a claim that stays does no harm.
        if let Err(error) = ended {
            log::debug!("the claim stays: {error}");
        }
    }
}

/// Claims the output, whose publishes are forgotten when the table is not there; also whether there was a rival.
fn begin_in<S>(head: &mut Head<S>, publisher: &Publisher, is_there: bool) -> Result<(Begun, bool)> {
    if !is_there {
        head.forget();
    }
    let has_rival = head.rival(publisher).is_some();
    Ok((head.begin(publisher)?, has_rival))
}

fn end_in<S>(head: &mut Head<S>, claim: &Claim, output: Option<&Output>) {
    match output {
        Some(output) if head.has_claim(claim) => {
            head.publish(claim, Scope::new_output(), output.clone(), BTreeMap::new());
        }
        _ => head.withdraw(claim),
    }
}
