//! Publishing a Delta table: the output's head gives the claim, the table's log takes the commit (`delta`).
//!
//! The head holds the claims alone here; what is published, and by whom, is in the log itself, where the fence and the
//! files are one object.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::delta::{Committed, DeltaTable, Publish, is_unknown};
use super::head::{Begun, Claim, Publisher, Scope};
use super::local::locked::LockedHead;
use super::objects::head_object::{Change, HeadObject};
use super::objects::{probe, remove_tagged, tag_of};
use super::{Begin, OutputFile, Place, Publication, Request, TableColumns};
use crate::error::{Error, Result};
use crate::failpoint;
use crate::job::{CleanupGuard, Run};
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
        let (claim, has_rival) = match heads.begin(publisher, run)? {
            (Begun::Published(done), _) => return Ok(Begin::Published(done)),
            (Begun::Claimed(claim), has_rival) => (claim, has_rival),
        };
        let begun = begin_at(&mut table, &claim, has_rival, &request, run);
        if !matches!(begun, Ok(None)) {
            heads.withdraw(&claim);
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
    pub fn commit(mut self, partitions: u64, files: Vec<OutputFile>) -> Result<()> {
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
                self.request.report(&self.run, output, version);
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
        Heads::of(&self.output)?.withdraw(&self.claim);
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
                heads.withdraw(&self.claim);
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
    fn begin(&self, publisher: &Publisher, run: &Run) -> Result<(Begun, bool)> {
        match self {
            Heads::Disk(target) => {
                let mut locked = LockedHead::take(target, run)?;
                let has_rival = locked.head.rival(publisher).is_some();
                let begun = locked.head.begin(publisher)?;
                locked.save(true)?;
                Ok((begun, has_rival))
            }
            Heads::Store(object) => object.change(|head| {
                let has_rival = head.rival(publisher).is_some();
                head.begin(publisher).map(|begun| Change::Put((begun, has_rival)))
            }),
        }
    }

    fn check(&self, claim: &Claim, run: &Run) -> Result<()> {
        match self {
            Heads::Disk(target) => LockedHead::take(target, run)?.head.check(claim, &Scope::new_output()),
            Heads::Store(object) => object.read()?.0.check(claim, &Scope::new_output()),
        }
    }

    /// Ends a claim; one that stays does no harm.
    fn withdraw(&self, claim: &Claim) {
        match self {
            Heads::Disk(target) => {
                if let Ok(Some(mut locked)) = LockedHead::try_take(target) {
                    locked.head.withdraw(claim);
                    let _ = locked.save(false);
                }
            }
            Heads::Store(object) => {
                let withdrawn = object.change(|head| {
                    head.withdraw(claim);
                    Ok(Change::Put(()))
                });
                if let Err(error) = withdrawn {
                    log::debug!("the claim stays: {error}");
                }
            }
        }
    }
}
