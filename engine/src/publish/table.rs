//! Publishing a Delta table: the output's head gives the claim, the table's log takes the commit (`delta`).
//!
//! The log decides: it has the fence, the identity and the files of a version in one object. The head gives out epochs,
//! and fences older attempts while there is no table yet. What it remembers of publishes saves a retry the log.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::delta::{Committed, DeltaTable, Publish};
use super::head::{Begun, Claim, Head, Publisher, Scope};
use super::local::{self, locked::LockedHead};
use super::mode::not_a_folder;
use super::objects::head_object::{Change, HeadObject};
use super::objects::{forget_removed, is_object, probe, tag_of};
use super::sign_of_life::{self, SignOfLife};
use super::uploaded::UploadedFiles;
use super::{Begin, OutputFile, Place, Publication, Request, TAG_CHARS, TableColumns, is_unknown};
use crate::error::Result;
use crate::failpoint;
use crate::job::{CommitGuard, Output, Run};
use crate::source::Location;

/// A version of a table that is being made.
pub struct TablePublication {
    output: Location,
    table: DeltaTable,
    request: Request,
    claim: Claim,
    run: Arc<Run>,
    files: UploadedFiles,
    _sign: Option<SignOfLife>,
}

impl TablePublication {
    /// Prepares to publish a version of the table at `output`.
    ///
    /// # Errors
    /// Config when the mode does not allow what is there or the store has no conditional PUT, fenced after a newer
    /// attempt; else by the failing request.
    pub fn begin(output: Location, request: Request, publisher: &Publisher, run: &Arc<Run>) -> Result<Begin> {
        let (Location { store, path, .. }, uri) = (&output, output.uri());
        if !store.is_local() {
            probe::check(store, path).map_err(|e| e.at("output", &uri))?;
            if is_object(store, path).map_err(|e| e.at("output", &uri))? {
                return Err(not_a_folder(&uri));
            }
        }
        let heads = Heads::of(&output)?;
        let goes_on = sign_of_life::wait_for_rival(store, path, run, || heads.rival(publisher));
        if !goes_on.map_err(|e| e.at("output", &uri))? {
            return Ok(Begin::Skipped("another attempt of this run is under way"));
        }
        // Before the claim, so that every commit under a higher epoch is later than what is seen here.
        let mut table = DeltaTable::open(&output)?;
        let sign = SignOfLife::of(store, path, publisher, run).map_err(|e| e.at("output", &uri))?;
        let (claim, has_rival) = match heads.begin(publisher, table.version().is_some(), run)? {
            // The log knows the version, and the counters.
            (Begun::Published(done), _) => {
                return Ok(Begin::Published(table.published(&done.claim)?.map_or(done, Box::new)));
            }
            (Begun::Claimed(claim), has_rival) => (claim, has_rival),
        };
        let begun = begin_at(&mut table, &claim, has_rival, &request, run);
        if !matches!(begun, Ok(None)) {
            heads.end(&claim, End::GivenUp { is_clean: true });
        }
        if let Some(answer) = begun? {
            return Ok(answer);
        }
        failpoint::reached("claimed");
        let files = UploadedFiles::of(store, path, &claim, run);
        let run = Arc::clone(run);
        let publication = TablePublication { output, table, request, claim, run, files, _sign: sign };
        Ok(Begin::Begun(Publication::Table(Box::new(publication))))
    }

    /// The claim of this attempt.
    pub fn claim(&self) -> &Claim {
        &self.claim
    }

    /// Where tasks write their files.
    pub fn place(&self) -> Place {
        Place::Final { address: self.output.address(), tag: self.files.tag().to_owned() }
    }

    /// Publishes `files`, and no others, as the next version.
    ///
    /// # Errors
    /// As [`DeltaTable::commit_while`].
    pub fn commit(mut self, guard: &CommitGuard, partitions: u64, files: Vec<OutputFile>) -> Result<()> {
        failpoint::reached("commit.ready");
        let heads = Heads::of(&self.output)?;
        let output = super::output(self.output.uri(), partitions, &files);
        let TableColumns { schema, partition_by } = self.request.columns.clone();
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
        self.files.set_removable(false);
        // While there is no table, its log cannot fence this attempt, and `kiln clean` fences by the head alone.
        let is_allowed = |is_there: bool| heads.check(&self.claim, is_there, &self.run);
        match self.table.commit_while(&publish, &self.run.cancel, &is_allowed) {
            Ok(Committed::Version(version)) => {
                failpoint::reached("commit.published");
                self.request.report(&self.run, output.clone(), version);
                guard.decided();
                heads.end(&self.claim, End::Published(&output));
                if self.run.facts().retries > 0 {
                    // Attempts of tasks that were lost may have left files under this publish's tag.
                    let named: Vec<String> = files.iter().map(|file| file.name.clone()).collect();
                    self.files.remove_others(&named);
                }
            }
            Ok(Committed::Already(done)) => {
                self.files.set_removable(true);
                self.request.report(&self.run, done.output, done.version);
            }
            Err(error) => {
                self.files.set_removable(!is_unknown(&error));
                return Err(error);
            }
        }
        Ok(())
    }
}

impl Drop for TablePublication {
    fn drop(&mut self) {
        let Some(is_clean) = self.files.give_up() else { return };
        if let Ok(heads) = Heads::of(&self.output) {
            heads.end(&self.claim, End::GivenUp { is_clean });
        }
    }
}

/// How a publish has ended.
#[derive(Clone, Copy)]
enum End<'a> {
    Published(&'a Output),
    /// `is_clean`: none of its files is left.
    GivenUp {
        is_clean: bool,
    },
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

    /// The claim of another attempt of the run.
    fn rival(&self, publisher: &Publisher) -> Result<Option<Claim>> {
        Ok(match self {
            Heads::Disk(target) => local::peek(target)?.rival(publisher).cloned(),
            Heads::Store(object) => object.read()?.0.rival(publisher).cloned(),
        })
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
            Heads::Store(object) => object.change(|head| {
                // Opening the table has found no manifest.
                if !is_there && head.state.is_settled() {
                    forget_removed(head);
                }
                let begun = begin_in(head, publisher, is_there)?;
                if matches!(begun.0, Begun::Claimed(_)) {
                    // Listings leave out the files of a publish that comes to nothing.
                    head.state.note(&publisher.publish[..TAG_CHARS]);
                }
                Ok(Change::Put(begun))
            }),
        }
    }

    /// Whether the claim is still there, before the commit; without a table, the first one begins.
    fn check(&self, claim: &Claim, is_there: bool, run: &Run) -> Result<()> {
        match self {
            Heads::Disk(target) => LockedHead::take(target, run)?.head.check(claim, &Scope::new_output()),
            Heads::Store(object) if is_there => object.read()?.0.check(claim, &Scope::new_output()),
            Heads::Store(object) => object.change(|head| {
                head.check(claim, &Scope::new_output())?;
                head.state.begin_table(claim)?;
                head.changed();
                Ok(Change::Put(()))
            }),
        }
    }

    /// Ends a claim.
    fn end(&self, claim: &Claim, end: End<'_>) {
        let ended = match self {
            Heads::Disk(target) => LockedHead::try_take(target).and_then(|locked| {
                locked.map_or(Ok(()), |mut locked| {
                    end_in(&mut locked.head, claim, end);
                    locked.save(false)
                })
            }),
            Heads::Store(object) => object.change(|head| {
                end_in(head, claim, end);
                head.state.end_table(claim);
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
}

/// Claims the output, whose publishes are forgotten when the table is not there; also whether there was a rival.
fn begin_in<S>(head: &mut Head<S>, publisher: &Publisher, is_there: bool) -> Result<(Begun, bool)> {
    if !is_there {
        head.forget();
    }
    let has_rival = head.rival(publisher).is_some();
    Ok((head.begin(publisher)?, has_rival))
}

fn end_in<S>(head: &mut Head<S>, claim: &Claim, end: End<'_>) {
    match end {
        End::Published(output) if head.has_claim(claim) => {
            head.publish(claim, Scope::new_output(), output.clone(), BTreeMap::new());
        }
        _ => head.withdraw(claim),
    }
}
