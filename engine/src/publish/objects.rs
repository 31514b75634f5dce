//! The commit in an object store, where nothing can be renamed.
//!
//! Tasks upload their files under their final keys, which no other publish uses. They are part of the output when the
//! manifest `_SUCCESS` names them, and not before. The head of the output (`head_object`) decides:
//!
//! ```text
//! claim ─ uploads ─ head is put: the commit ─ manifest is put ─ replaced keys are removed ─ head is put: settled
//!         └ killed here: nothing is published ┘ └ killed here: published; the next publish goes on from here ┘
//! ```
//!
//! What is promised: a reader that goes by the manifest, as Kiln does, sees all files of one version or all of another, or,
//! if it is so slow that its version is replaced and removed, an error. A reader that lists the prefix instead has no
//! promise: it can meet files of a publish that is under way, or that was killed and is not cleaned up yet.
//!
//! Every step after the commit can be repeated by anybody. No lease, no clock, and no key that somebody else could still
//! be writing is removed: the outcome of a PUT whose reply was lost is read back, and while it is unknown nothing is removed.

pub mod clean;
pub(super) mod head_object;
pub mod keys;
pub(super) mod probe;

use std::sync::Arc;
use std::time::{Duration, Instant};

use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use serde::{Deserialize, Serialize};

use super::delta::Log;
use super::head::{Begun, Claim, Publisher, Scope};
use super::mode::{exists, not_a_folder};
use super::pause::Pause;
use super::sign_of_life::{self, SignOfLife};
use super::table::Heads;
use super::uploaded::UploadedFiles;
use super::{Begin, Mode, OutputFile, Place, Publication, Request, TAG_CHARS, form, is_unknown};
use crate::error::{Error, Result};
use crate::failpoint;
use crate::job::{CommitGuard, Output, Run};
use crate::source::{Location, MANIFEST, Manifest, ManifestFile, Store, is_tagged};
use head_object::{Change, Head, HeadObject};

/// How long the steps after the commit are tried.
const SETTLE_LIMIT: Duration = Duration::from_secs(120);
/// Publishes that were given up, whose files may still be there.
const MAX_ABANDONED: usize = 4096;

/// What the head of an output in a store holds beside the publishes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Stored {
    /// The files of the output; `None` while nothing was published.
    files: Option<Vec<ManifestFile>>,
    /// Names of files that the output no longer has and that are still to be removed.
    replaced: Vec<String>,
    /// Whether the manifest is put and the replaced files are removed.
    is_settled: bool,
    /// The tags of publishes that may have left files and are no part of the output, oldest first.
    unpublished: Vec<String>,
}

impl Stored {
    /// The files of the output; nothing while nothing was published.
    pub fn files(&self) -> Option<&[ManifestFile]> {
        self.files.as_deref()
    }

    /// Notes that a publish may leave files.
    pub fn note(&mut self, tag: &str) {
        self.unpublished.push(tag.to_owned());
        let surplus = self.unpublished.len().saturating_sub(MAX_ABANDONED);
        self.unpublished.drain(..surplus);
    }

    /// Forgets a publish whose files are published, or gone.
    pub fn forget(&mut self, tag: &str) {
        self.unpublished.retain(|other| other != tag);
    }

    /// Whether a plain output was published whose manifest was put; without the manifest somebody has removed it.
    pub fn is_settled(&self) -> bool {
        self.is_settled
    }

    /// Whether a plain output is published.
    pub fn is_plain(&self) -> bool {
        self.files.is_some()
    }

    /// Forgets a plain output that somebody has removed; what may have been left stays known.
    pub fn forget_removed(&mut self) {
        *self = Stored { unpublished: std::mem::take(&mut self.unpublished), ..Stored::default() };
    }
}

/// An output that is being made.
pub struct ObjectPublication {
    /// The address of the target.
    uri: String,
    store: Store,
    target: Path,
    request: Request,
    claim: Claim,
    run: Arc<Run>,
    files: UploadedFiles,
    _sign: Option<SignOfLife>,
}

impl ObjectPublication {
    /// Prepares to publish below the prefix `output`.
    ///
    /// # Errors
    /// Config when the mode does not allow what is there or the store has no conditional PUT, auth without permission,
    /// fenced after a newer attempt.
    pub fn begin(output: Location, request: Request, publisher: &Publisher, run: &Arc<Run>) -> Result<Begin> {
        let uri = output.uri();
        let at = output.clone();
        let Location { store, path: target, .. } = output;
        let rival = || Ok(peek(&store, &target)?.rival(publisher).cloned());
        let goes_on = sign_of_life::wait_for_rival(&store, &target, run, rival);
        if !goes_on.map_err(|e| e.at("output", &uri))? {
            return Ok(Begin::Skipped("another attempt of this run is under way"));
        }
        Heads::Store(HeadObject::of(&store, &target)?).carry_out_first(&at, run)?;
        let sign = SignOfLife::of(&store, &target, publisher, run).map_err(|e| e.at("output", &uri))?;
        let begun = begin_at(&store, &target, &request, publisher).map_err(|e| e.at("output", &uri))?;
        let claim = match begun {
            None => return Ok(Begin::Skipped("the output exists")),
            Some(Begun::Published(done)) => return Ok(Begin::Published(done)),
            Some(Begun::Claimed(claim)) => claim,
        };
        failpoint::reached("claimed");
        let files = UploadedFiles::of(&store, &target, &claim, run);
        let run = Arc::clone(run);
        let objects = ObjectPublication { uri, store, target, request, claim, run, files, _sign: sign };
        Ok(Begin::Begun(Publication::Objects(objects)))
    }

    /// The right by which it publishes.
    pub fn claim(&self) -> &Claim {
        &self.claim
    }

    /// What is asked of it, the files that are there now, and the address of their folder.
    ///
    /// # Errors
    /// By the failing request.
    pub(super) fn before(&self) -> Result<(&Request, Vec<ManifestFile>, String)> {
        let files = old_files(&self.head()?.read()?.0, &self.store, &self.target)?;
        Ok((&self.request, files, self.store.address(&self.target)))
    }

    /// Where tasks write their files.
    pub fn place(&self) -> Place {
        Place::Final { address: self.store.address(&self.target), tag: tag_of(&self.claim) }
    }

    /// Publishes `files`, and no others.
    ///
    /// # Errors
    /// Config when something has appeared at the target meanwhile, fenced after a newer attempt, transient when the
    /// outcome is unknown; else by the failing request.
    pub fn commit(self, guard: &CommitGuard, partitions: u64, files: Vec<OutputFile>) -> Result<()> {
        failpoint::reached("commit.ready");
        let output = super::output(self.uri.clone(), partitions, &files);
        self.files.set_removable(false);
        let committed = self.put_head(&files, &output);
        match &committed {
            // Nobody knows whether it will still land: nothing is removed.
            Err(error) if is_unknown(error) => {}
            Err(_) => self.files.set_removable(true),
            Ok(_) => {}
        }
        let version = committed.map_err(|e| e.at("output", &self.uri))?;
        self.request.report(&self.run, output, version);
        guard.decided();
        failpoint::reached("commit.published");
        settle(&self.head()?, &self.store, &self.target).map_err(|e| {
            e.at("output", &self.uri).help(
                "the output is published; run the job again with the same run id to remove the files that it replaces",
            )
        })?;
        if self.run.facts().retries > 0 {
            // Attempts of tasks that were lost may have left files under this publish's tag.
            let named: Vec<String> = files.iter().map(|file| file.name.clone()).collect();
            self.files.remove_others(&named);
        }
        Ok(())
    }

    /// The commit itself.
    fn put_head(&self, files: &[OutputFile], output: &Output) -> Result<u64> {
        let counters = self.run.facts().counters;
        self.head()?.change(|head| {
            if let Some(done) = head.published_as(&self.claim.publish) {
                return Ok(Change::Keep(done.version));
            }
            let (scope, new) = self.plan(head, files);
            head.check(&self.claim, &scope)?;
            // The first version of a table is in the head until it is in its log.
            let log = Log { store: self.store.clone(), root: self.target.clone() };
            if head.first_version().is_some() || log.exists()? {
                return Err(form::is_table());
            }
            let old = old_files(head, &self.store, &self.target)?;
            if !self.request.mode.joins() && !old.is_empty() {
                return Err(exists(&self.uri));
            }
            let (replaced, kept): (Vec<_>, Vec<_>) =
                old.into_iter().partition(|file| scope.removes(&file.name));
            head.state.replaced.extend(replaced.into_iter().map(|file| file.name));
            head.state.files = Some(super::merged(kept, &new));
            head.state.is_settled = false;
            head.state.forget(self.files.tag());
            head.publish(&self.claim, scope, output.clone(), counters.clone());
            Ok(Change::Put(head.version))
        })
    }

    /// What the publish changes, and the files that it adds.
    fn plan(&self, head: &Head, files: &[OutputFile]) -> (Scope, Vec<OutputFile>) {
        match self.request.mode {
            Mode::Append | Mode::AppendOnce => {
                let scope = Scope::of(super::partitions(files, &[]), false);
                // A file without rows gives the columns; here others do.
                let is_first = head.state.files.as_ref().is_none_or(Vec::is_empty);
                (scope, files.iter().filter(|file| is_first || file.rows > 0).cloned().collect())
            }
            Mode::ReplacePartitions => {
                (Scope::of(super::partitions(files, &self.request.expected), true), files.to_vec())
            }
            Mode::Error | Mode::Ignore => (Scope::new_output(), files.to_vec()),
            Mode::Overwrite => (Scope::whole(), files.to_vec()),
        }
    }

    fn head(&self) -> Result<HeadObject> {
        HeadObject::of(&self.store, &self.target)
    }
}

impl Drop for ObjectPublication {
    fn drop(&mut self) {
        let Some(is_clean) = self.files.give_up() else { return };
        let withdrawn = self.head().and_then(|head| {
            head.change(|head| {
                if !head.has_claim(&self.claim) {
                    return Ok(Change::Keep(()));
                }
                head.withdraw(&self.claim);
                if is_clean {
                    head.state.forget(self.files.tag());
                }
                Ok(Change::Put(()))
            })
        });
        if let Err(error) = withdrawn {
            log::debug!("the claim stays: {error}");
        }
    }
}

/// Puts the target in order, looks at what is there, and claims it.
fn begin_at(store: &Store, target: &Path, request: &Request, publisher: &Publisher) -> Result<Option<Begun>> {
    probe::check(store, target)?;
    let head = HeadObject::of(store, target)?;
    settle(&head, store, target)?;
    failpoint::reached("begun");
    let is_object = is_object(store, target)?;
    let begun = head.change(|head| {
        if head.state.is_settled && keys::get(store, &keys::below(target, MANIFEST)?)?.is_none() {
            forget_removed(head);
        }
        let begun = head.begin(publisher)?;
        if matches!(begun, Begun::Published(_)) {
            return Ok(Change::Keep(Some(begun)));
        }
        let log = Log { store: store.clone(), root: target.clone() };
        if head.first_version().is_some() || log.exists()? {
            return Err(form::is_table());
        }
        failpoint::reached("looked");
        let is_there = is_object || !old_files(head, store, target)?.is_empty() || head.state.files.is_some();
        match request.mode {
            Mode::Ignore if is_there => return Ok(Change::KeepIfCurrent(None)),
            Mode::Error if is_there => return Err(exists(&store.address(target))),
            _ if is_object => return Err(not_a_folder(&store.address(target))),
            _ => {}
        }
        head.state.note(&publisher.publish[..TAG_CHARS]);
        Ok(Change::Put(Some(begun)))
    })?;
    if matches!(begun, Some(Begun::Published(_))) {
        // Whoever reports a publish has settled it: its own attempt may have been killed since the look above.
        settle(&head, store, target)?;
    }
    Ok(begun)
}

/// Forgets what was published: somebody has removed the output.
pub fn forget_removed(head: &mut Head) {
    head.forget();
    head.state.forget_removed();
}

/// Whether an object is where the output's folder is to be.
pub fn is_object(store: &Store, target: &Path) -> Result<bool> {
    match store.wait(store.objects().head(target)) {
        Ok(_) => Ok(true),
        Err(object_store::Error::NotFound { .. }) => Ok(false),
        Err(e) => Err(e.into()),
    }
}

/// Whether a plain output is there: one of Kiln's, or files of another program. Files of publishes that were given up are
/// none.
///
/// # Errors
/// By the failing request; data for a head that cannot be read.
pub fn is_plain(store: &Store, target: &Path) -> Result<bool> {
    if keys::get(store, &keys::below(target, MANIFEST)?)?.is_some() {
        return Ok(true);
    }
    let mut head = peek(store, target)?;
    if head.state.files.is_some() && !head.state.is_settled {
        return Ok(true);
    }
    forget_removed(&mut head);
    Ok(!old_files(&head, store, target)?.is_empty())
}

/// The head of the output at `target` as it is now, for whoever changes nothing.
///
/// # Errors
/// By the failing request; data for a head that cannot be read.
pub fn peek(store: &Store, target: &Path) -> Result<Head> {
    Ok(HeadObject::of(store, target)?.read()?.0)
}

/// The files of the output. Where nothing was published those that another program has put there.
///
/// # Errors
/// By the failing request.
pub fn old_files(head: &Head, store: &Store, target: &Path) -> Result<Vec<ManifestFile>> {
    if let Some(files) = &head.state.files {
        return Ok(files.clone());
    }
    let is_ours = |name: &str| head.state.unpublished.iter().any(|tag| is_tagged(name, tag));
    let listed = keys::list(store, target)?.into_iter().filter_map(|object| {
        let name = object.location.as_ref().strip_prefix(target.as_ref())?.trim_start_matches('/').to_owned();
        let is_hidden = name.split('/').any(|part| part.starts_with(['_', '.']) && !part.contains('='));
        (!is_hidden && !is_ours(&name)).then_some(ManifestFile { name, rows: None, bytes: object.size })
    });
    Ok(listed.collect())
}

/// Finishes the last commit: puts its manifest, and removes what it replaced. Tries again when the store fails.
fn settle(head: &HeadObject, store: &Store, target: &Path) -> Result<()> {
    let (begun, mut pause) = (Instant::now(), Pause::default());
    loop {
        match try_settle(head, store, target) {
            Err(error) if error.is_retryable() && begun.elapsed() < failpoint::limit(SETTLE_LIMIT) => {
                log::debug!("trying again: {error}");
                pause.wait();
            }
            settled => return settled,
        }
    }
}

fn try_settle(head_object: &HeadObject, store: &Store, target: &Path) -> Result<()> {
    let (head, _) = head_object.read()?;
    let (Some(files), Some(last), false) =
        (&head.state.files, head.publishes().last(), head.state.is_settled)
    else {
        return Ok(());
    };
    let manifest = Manifest {
        version: head.version,
        run_id: last.claim.run_id.clone().unwrap_or_default(),
        attempt: last.claim.attempt,
        publish: last.claim.publish.clone(),
        files: files.clone(),
    };
    put_manifest(store, &keys::below(target, MANIFEST)?, &manifest)?;
    failpoint::reached("commit.manifest");
    let replaced =
        head.state.replaced.iter().map(|name| keys::below(target, name)).collect::<Result<Vec<_>>>()?;
    keys::remove(store, replaced)?;
    failpoint::reached("commit.removed");
    let version = head.version;
    head_object.change(|head| {
        if head.version != version || head.state.is_settled {
            return Ok(Change::Keep(()));
        }
        head.state.is_settled = true;
        head.state.replaced.clear();
        head.changed();
        Ok(Change::Put(()))
    })
}

/// Puts a manifest, unless one of a later version is there.
fn put_manifest(store: &Store, key: &Path, manifest: &Manifest) -> Result<()> {
    let mode = match keys::get(store, key)? {
        None => PutMode::Create,
        Some((json, _)) if Manifest::parse(&json).is_some_and(|there| there.version >= manifest.version) => {
            return Ok(());
        }
        Some((_, version)) => PutMode::Update(version),
    };
    match store.wait(store.objects().put_opts(key, manifest.to_json().into(), PutOptions::from(mode))) {
        Ok(_) => Ok(()),
        Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {
            Err(Error::transient("the manifest was replaced meanwhile").at("object", store.address(key)))
        }
        Err(e) => Err(Error::from(e).at("object", store.address(key))),
    }
}

pub(super) fn tag_of(claim: &Claim) -> String {
    claim.publish.chars().take(TAG_CHARS).collect()
}

/// Removes the files of a publish but those in `keep`; returns whether none is left.
pub(super) fn remove_tagged(store: &Store, target: &Path, tag: &str, keep: &[String]) -> bool {
    let is_doomed = |key: &Path| {
        let name = key.as_ref().strip_prefix(target.as_ref()).unwrap_or_default().trim_start_matches('/');
        is_tagged(name, tag) && !keep.iter().any(|kept| kept == name)
    };
    let doomed = keys::list(store, target)
        .map(|objects| objects.into_iter().map(|object| object.location).filter(is_doomed).collect());
    let removed = doomed.and_then(|doomed| keys::remove(store, doomed));
    removed
        .inspect_err(|error| log::warn!("files of this attempt stay in {}: {error}", store.address(target)))
        .is_ok()
}
