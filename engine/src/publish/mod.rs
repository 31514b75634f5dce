//! Publishing an output: all of it appears at once, or nothing does.
//!
//! Tasks write their files (`parts`, over one file per format) into a staging place
//! (`place`), each attempt under names of its own. The driver then takes the files of the attempts that it counts and
//! publishes them in the given [`Mode`]: by renames on a file system (`local`), by a conditional PUT of a manifest in an
//! object store (`objects`). Who may publish is decided by the output's head (`head`). Nothing is ever listed to find
//! out what belongs to a publish. Rows and plans are not known here.

mod before;
mod clean;
mod columns;
mod csv;
pub mod delta;
mod dictionaries;
mod form;
mod head;
mod hive;
mod json;
mod layout;
mod ledger;
mod lines;
mod local;
mod mode;
mod objects;
mod parquet;
mod part_file;
mod parts;
mod pause;
mod place;
mod rows_before;
mod sign_of_life;
mod sorted;
mod table;
mod text;
mod uploaded;

pub use crate::job::Mode;
pub use before::{has_published, is_there};
pub use clean::{CleanOptions, CleanReport, Leftover, clean, last_attempt};
pub use columns::{PublishedColumns, published_columns};
pub use delta::file_schema as table_columns;
pub use form::Form;
pub use hive::folder_of;
pub use json::encode as json_lines;
pub use layout::{Compression, Format, Layout};
pub use ledger::{HIDDEN, RunRecord, file_name as run_name, records};
pub use part_file::OutputFile;
pub use parts::{PartFiles, Writer};
pub use place::Place;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::datatypes::SchemaRef;

use crate::error::{Error, Result};
use crate::job::{Identity, Output, Run};
use crate::source::{BOOKS, Location, ManifestFile, TAG_CHARS};
use form::Chosen;
use head::{Head, Published, Publisher};
use ledger::Entry;
use local::LocalPublication;
use objects::ObjectPublication;
use table::TablePublication;

/// The folder, beside a target, in which outputs on disk are staged.
const STAGE: &str = ".kiln-stage";
/// The reason of an error after which nobody knows whether the output is published.
const OUTCOME_UNKNOWN: &str = "outcome_unknown";

impl Request {
    /// Reports what was published, unless it is the job's own.
    fn report(&self, run: &Run, output: Output, version: u64) {
        if !self.is_internal {
            run.published(output);
            run.published_version(version);
        }
    }
}

/// What is asked of a publish.
#[derive(Clone, Debug)]
pub struct Request {
    /// What happens to what is there.
    pub mode: Mode,
    /// The partitions that are replaced even if there are no rows for them, as the paths of folders.
    pub expected: Vec<String>,
    /// Whether it is the job's own, such as a checkpoint: it is made again by every attempt.
    pub is_internal: bool,
    /// Whether files or a Delta table are wanted.
    pub form: Form,
    /// The columns of the rows.
    pub columns: TableColumns,
    /// Whether a table may get columns that it does not have.
    pub evolves: bool,
}

/// The columns of rows, as a table has them.
#[derive(Clone, Debug)]
pub struct TableColumns {
    /// All of them.
    pub schema: SchemaRef,
    /// The names of those by which it is partitioned.
    pub partition_by: Vec<String>,
}

/// The answer to who wants to publish.
#[allow(clippy::large_enum_variant, reason = "there is one at a time, and it is moved once")]
pub enum Begin {
    /// There is nothing to do, and why.
    Skipped(&'static str),
    /// An earlier attempt of the run has published this.
    Published(Box<Published>),
    /// Rows are wanted.
    Begun(Publication),
}

impl Begin {
    /// The number of the attempt, as the output's head counts it.
    fn attempt(&self) -> Option<u32> {
        match self {
            Begin::Skipped(_) => None,
            Begin::Published(done) => Some(done.claim.attempt.saturating_add(1)),
            Begin::Begun(Publication::Local(local)) => Some(local.claim().attempt),
            Begin::Begun(Publication::Objects(objects)) => Some(objects.claim().attempt),
            Begin::Begun(Publication::Table(table)) => Some(table.claim().attempt),
        }
    }
}

/// An output that is being made. Dropped before [`commit`](Publication::commit), it leaves nothing in the target.
pub enum Publication {
    /// At a path.
    Local(LocalPublication),
    /// In an object store.
    Objects(ObjectPublication),
    /// As a Delta table.
    Table(Box<TablePublication>),
}

impl Publication {
    /// Prepares to publish at `uri`.
    ///
    /// # Errors
    /// Config when the mode does not allow what is there or the address cannot be written to, auth without permission,
    /// fenced when a newer attempt of the run has begun.
    pub fn begin(uri: &str, request: Request, run: &Arc<Run>) -> Result<Begin> {
        let output = Location::output(uri)?;
        check_name(&output).map_err(|e| e.at("output", uri))?;
        let publisher = publisher(&output, &request, run).map_err(|e| e.at("output", uri))?;
        let is_first = publisher.sequence == 0 && !request.is_internal;
        let entry = is_first.then(|| Entry::open(&output, run)).transpose()?;
        let begun = begin_as(output, request, &publisher, run);
        if let (Some(entry), Ok(begun)) = (entry, &begun) {
            begun.attempt().into_iter().for_each(|attempt| entry.set_attempt(attempt));
        }
        begun
    }

    /// Whether the files are those of a Delta table, whose types are fewer.
    pub fn is_table(&self) -> bool {
        matches!(self, Publication::Table(_))
    }

    /// Where tasks write their files.
    pub fn place(&self) -> Place {
        match self {
            Publication::Local(local) => local.place(),
            Publication::Objects(objects) => objects.place(),
            Publication::Table(table) => table.place(),
        }
    }

    /// Publishes `files`, and no others.
    ///
    /// # Errors
    /// Config when something has appeared at the target meanwhile, fenced after a newer attempt; else by the failing
    /// operation.
    pub fn commit(self, run: &Run, partitions: u64, files: Vec<OutputFile>) -> Result<()> {
        let guard = run.committing()?;
        let committed = match self {
            Publication::Local(local) => local.commit(&guard, partitions, files),
            Publication::Objects(objects) => objects.commit(&guard, partitions, files),
            Publication::Table(table) => table.commit(&guard, partitions, files),
        };
        if committed.as_ref().is_err_and(is_unknown) {
            guard.unresolved();
        }
        committed
    }
}

/// Begins in the form that the output has or gets.
fn begin_as(output: Location, request: Request, publisher: &Publisher, run: &Arc<Run>) -> Result<Begin> {
    let chosen = form::choose(&output, &request).map_err(|e| e.at("output", output.uri()))?;
    match (chosen, output.local_path()) {
        (Chosen::Ignored, _) => Ok(Begin::Skipped("the output exists")),
        (Chosen::Table, _) => {
            // Before any work, and before anything is there.
            let has_types = delta::file_schema(&request.columns.schema).map(drop);
            has_types.map_err(|e| form::without_type(e, request.form).at("output", output.uri()))?;
            TablePublication::begin(output, request, publisher, run)
        }
        (Chosen::Plain, Some(target)) => LocalPublication::begin(target, request, publisher, run),
        (Chosen::Plain, None) => ObjectPublication::begin(output, request, publisher, run),
    }
}

/// Whether an error leaves open whether a publish was made: then no file of it may be removed.
fn is_unknown(error: &Error) -> bool {
    error.reason_word() == OUTCOME_UNKNOWN
}

/// Who publishes, in the words of the head.
fn publisher(output: &Location, request: &Request, run: &Run) -> Result<Publisher> {
    let is_given = run.identity().is_given && !request.is_internal;
    if request.mode == Mode::AppendOnce && !is_given {
        let error = Error::config("the mode append-once needs a run id").reason("no_run_id");
        return Err(error.help("set KILN_RUN_ID, or --run-id, to a name that a retry of this run has, too"));
    }
    let identity = Identity { is_given, ..run.identity().clone() };
    let publish = uuid::Uuid::new_v4().to_string();
    Ok(Publisher { identity, sequence: run.next_write(&output.uri()), publish })
}

/// Refuses an output that others would be staged or published in.
fn check_name(output: &Location) -> Result<()> {
    match output.path.filename() {
        None if output.store.is_local() => Err(Error::config("an output cannot be the root folder")),
        None => {
            let error = Error::config("an output cannot be a whole bucket");
            Err(error.help("name a prefix in it: s3://bucket/output"))
        }
        Some(_) if output.path.parts().any(|part| [STAGE, BOOKS].contains(&part.as_ref())) => {
            let error = Error::config(format!("the folders {STAGE} and {BOOKS} are for Kiln's own files"));
            Err(error.help("choose another folder: what is in one of these may be removed"))
        }
        Some(_) => Ok(()),
    }
}

/// `day=1/part-00000.csv.gz` with the tag of one publish: `day=1/part-00000-1f0c2a9b.csv.gz`.
fn tagged(name: &str, tag: &str) -> String {
    let file = name.rfind('/').map_or(0, |slash| slash + 1);
    let dot = name[file..].find('.').map_or(name.len(), |dot| file + dot);
    format!("{}-{tag}{}", &name[..dot], &name[dot..])
}

/// The files of an output after a publish: those `kept` of the ones before, and the new ones.
fn merged(kept: impl IntoIterator<Item = ManifestFile>, new: &[OutputFile]) -> Vec<ManifestFile> {
    let new = new.iter().map(|file| ManifestFile {
        name: file.name.clone(),
        rows: Some(file.rows),
        bytes: file.bytes,
    });
    let files: BTreeMap<String, ManifestFile> =
        kept.into_iter().chain(new).map(|file| (file.name.clone(), file)).collect();
    files.into_values().collect()
}

/// The folders of `files`, those below an expected one as that one, and all `expected` ones.
fn partitions(files: &[OutputFile], expected: &[String]) -> BTreeSet<String> {
    let folders = files.iter().filter_map(|file| file.name.rsplit_once('/')).map(|(folder, _)| folder);
    let is_below = |folder: &str, above: &String| {
        folder.strip_prefix(above.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let covered = folders.map(|folder| match expected.iter().find(|above| is_below(folder, above)) {
        Some(above) => above.clone(),
        None => folder.to_owned(),
    });
    covered.chain(expected.iter().cloned()).collect()
}

fn output(uri: String, partitions: u64, files: &[OutputFile]) -> Output {
    let mut partition_rows = BTreeMap::new();
    for (folder, file) in files.iter().filter_map(|file| Some((file.name.rsplit_once('/')?.0, file))) {
        *partition_rows.entry(folder.to_owned()).or_default() += file.rows;
    }
    Output {
        uri,
        partitions,
        files: files.len() as u64,
        rows: files.iter().map(|file| file.rows).sum(),
        bytes: files.iter().map(|file| file.bytes).sum(),
        partition_rows,
    }
}
