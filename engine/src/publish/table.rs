//! Publishing a Delta table: the output's head gives the claim, the table's log takes the commit (`delta`).
//!
//! The log decides: it has the fence, the identity and the files of a version in one object. The head gives out epochs,
//! and decides the first version, as there is no log yet (`heads`). What it remembers of publishes saves a retry the log.

mod heads;

use std::sync::Arc;

use super::delta::{Committed, DeltaTable, Publish};
use super::head::{Begun, Claim, Publisher};
use super::mode::not_a_folder;
use super::objects::{is_object, probe};
use super::sign_of_life::{self, SignOfLife};
use super::uploaded::UploadedFiles;
use super::{Begin, Mode, OutputFile, Place, Publication, Request, TableColumns, is_unknown};
use crate::error::Result;
use crate::failpoint;
use crate::job::{CommitGuard, Run};
use crate::source::Location;
pub use heads::Heads;
use heads::{Attempt, End};

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
        failpoint::reached("begun");
        let sign = SignOfLife::of(store, path, publisher, run).map_err(|e| e.at("output", &uri))?;
        let (claim, has_rival) = match heads.begin(publisher, &mut table, run)? {
            // The log knows the version, and the counters; it may be ahead of what was read above.
            (Begun::Published(done), _) => {
                table.refresh()?;
                return Ok(Begin::Published(table.published(&done.claim)?.map_or(done, Box::new)));
            }
            (Begun::Claimed(claim), has_rival) => (claim, has_rival),
        };
        let begun = begin_at(&mut table, publisher, &claim, has_rival, &request, run);
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

    /// The rows that a publish of `new` replaces, and those to which it adds, by the log as it was when the publish began.
    ///
    /// # Errors
    /// As [`DeltaTable::rows`].
    pub fn rows_before(&self, new: &[OutputFile]) -> Result<Option<(u64, u64)>> {
        let rows = |folders| self.table.rows(folders);
        Ok(match self.request.mode {
            Mode::Error | Mode::Ignore => Some((0, 0)),
            Mode::Append | Mode::AppendOnce => Some((0, rows(None)?)),
            Mode::Overwrite => Some((rows(None)?, 0)),
            Mode::ReplacePartitions => {
                let folders = super::partitions(new, &self.request.expected);
                Some((rows(Some(&folders))?, 0))
            }
        })
    }

    /// Where tasks write their files.
    pub fn place(&self) -> Place {
        Place::Final { address: self.output.address(), tag: self.files.tag().to_owned() }
    }

    /// Publishes `files`, and no others, as the next version.
    ///
    /// # Errors
    /// As [`DeltaTable::commit`].
    pub fn commit(mut self, guard: &CommitGuard, partitions: u64, files: Vec<OutputFile>) -> Result<()> {
        failpoint::reached("commit.ready");
        let heads = Heads::of(&self.output)?;
        heads.check(&self.claim, &self.run)?;
        failpoint::reached("commit.checked");
        let output = super::output(self.output.uri(), partitions, &files);
        let TableColumns { schema, partition_by } = self.request.columns.clone();
        let publish = Publish {
            claim: &self.claim,
            mode: self.request.mode,
            schema: &schema,
            partition_by: &partition_by,
            evolves: self.request.evolves,
            files: &files,
            expected: &self.request.expected,
            output: output.clone(),
            counters: self.run.facts().counters,
        };
        let log = self.table.log().clone();
        let attempt = Attempt { heads: &heads, claim: &self.claim, log, output: &output, run: &self.run };
        self.files.set_removable(false);
        match self.table.commit(&publish, &self.run.cancel, &attempt) {
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

/// What there is to say before the rows are computed; `None` when they are wanted.
fn begin_at(
    table: &mut DeltaTable,
    publisher: &Publisher,
    claim: &Claim,
    has_rival: bool,
    request: &Request,
    run: &Run,
) -> Result<Option<Begin>> {
    // Older attempts of the run that find the table only after this claim are fenced by the head; the others by the log.
    if has_rival || table.version().is_none() {
        table.refresh()?;
    }
    if let Some(done) = table.published(claim)? {
        publisher.check_not_older(&done.claim)?;
        return Ok(Some(Begin::Published(Box::new(done))));
    }
    if !table.check(request.mode)? {
        return Ok(Some(Begin::Skipped("the output exists")));
    }
    table.check_columns(request)?;
    if has_rival {
        // Older attempts of the run are fenced by the log itself.
        if let Committed::Already(done) = table.claim(claim, &run.cancel)? {
            return Ok(Some(Begin::Published(done)));
        }
    }
    Ok(None)
}
