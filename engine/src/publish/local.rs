//! The commit on a local file system.
//!
//! Tasks write into a staging folder beside the target (`staging`). The commit syncs their files, makes the tree of the
//! output next to them, and brings it to the target by renames (`pending`), under the lock of the output's head
//! (`locked`). What is promised:
//!
//! | mode | a reader that lists the target sees |
//! |---|---|
//! | error | nothing, or all files |
//! | overwrite | all files of one whole output; names differ between outputs, so a reader of a replaced file gets an error and no mix |
//! | append | files joining one by one |
//! | replace partitions | every partition old or new, each exchanged in one step, together in none |
//!
//! A driver that is killed before its commit changes nothing; one that is killed in its commit has decided it, and the
//! next publish beside it, such as its own retry, finishes the renames first. Where the file system cannot exchange
//! two folders, overwriting takes two renames, between which there is nothing.

pub mod clean;
pub(super) mod locked;
mod pending;
mod staging;
mod sync_files;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::delta::LOG;
use super::head::{Begun, Claim, Publisher, Scope};
use super::mode::{exists, not_a_folder};
use super::table::Heads;
use super::{Begin, Mode, OutputFile, Place, Publication, Request, STAGE, form, tagged};
use crate::error::{Error, Result};
use crate::failpoint;
use crate::job::{CleanupGuard, CommitGuard, IfRunning, Output, Run};
use crate::source::{Location, MANIFEST, Manifest, ManifestFile, file_uri};
use locked::LockedHead;
pub use locked::peek;
use pending::{Change, Pending, Site};
use staging::Staging;
use sync_files::sync_files;

/// How often another attempt is looked after.
const RIVAL_LOOK: Duration = Duration::from_millis(100);

/// An output that is being made. Dropped before [`commit`](LocalPublication::commit), it leaves nothing in the target.
pub struct LocalPublication {
    target: PathBuf,
    request: Request,
    claim: Claim,
    run: Arc<Run>,
    staging: Arc<Staging>,
    /// Held while the output is brought to its place, and while the staging folder is removed because
    /// the process is told to end: set once it is gone.
    gone: Arc<Mutex<bool>>,
    is_committed: bool,
    /// Whether the next publish needs what is staged.
    keeps_staging: bool,
    /// Removes the staging folder when the process is told to end.
    _cleanup: CleanupGuard,
}

impl LocalPublication {
    /// Prepares to publish at the path `target`.
    ///
    /// # Errors
    /// Config when the mode does not allow what is there, auth without permission, fenced after a newer attempt.
    pub fn begin(target: PathBuf, request: Request, publisher: &Publisher, run: &Arc<Run>) -> Result<Begin> {
        // A link to a folder stands for the folder, which is what is replaced.
        let target = fs::canonicalize(&target).unwrap_or(target);
        let staging = Staging::reserve(&target, &publisher.publish)?;
        Heads::Disk(target.clone()).carry_out_first(&Location::exact(&target.to_string_lossy())?, run)?;
        let mut locked = match wait_for_rival(&target, publisher, run)? {
            Some(locked) => locked,
            None => return Ok(Begin::Skipped("another attempt of this run is under way")),
        };
        staging::sweep(&target, &locked)?;
        check_plain(&locked, &target)?;
        if fs::symlink_metadata(&target).is_err() {
            // Nothing is there, or somebody has removed it: it is not published any more.
            locked.head.forget();
        }
        // An attempt that nobody can repeat is of no interest once its driver is dead.
        locked.head.revoke(|claim| claim.run_id.is_none() && !staging::is_alive(&target, &claim.publish));
        let claim = match locked.head.begin(publisher)? {
            Begun::Published(done) => return Ok(Begin::Published(done)),
            Begun::Claimed(claim) => claim,
        };
        let is_free = is_free(&target, request.mode);
        if !matches!(is_free, Ok(true)) {
            // Who is refused leaves nothing.
            locked.head.withdraw(&claim);
            if locked.head.is_empty() {
                locked.remove();
            }
            return is_free.map(|_| Begin::Skipped("the output exists"));
        }
        let staging = Arc::new(staging.make()?);
        locked.save(false)?;
        drop(locked);
        failpoint::reached("claimed");
        let gone = Arc::new(Mutex::new(false));
        let (doomed, gate) = (Arc::clone(&staging), Arc::clone(&gone));
        let (at, given_up) = (target.clone(), claim.clone());
        let cleanup = run.cleanup.register(Box::new(move || {
            *lock(&gate) = true;
            doomed.remove();
            withdraw(&at, &given_up, &doomed);
        }));
        let run = Arc::clone(run);
        let local = LocalPublication {
            target,
            request,
            claim,
            run,
            staging,
            gone,
            is_committed: false,
            keeps_staging: false,
            _cleanup: cleanup,
        };
        Ok(Begin::Begun(Publication::Local(local)))
    }

    /// The right by which it publishes.
    pub fn claim(&self) -> &Claim {
        &self.claim
    }

    /// What is asked of it, the files that are there now, and the address of their folder.
    ///
    /// # Errors
    /// By the failing operation.
    pub(super) fn before(&self) -> Result<(&Request, Vec<ManifestFile>, String)> {
        Ok((&self.request, present_files(&self.target)?, self.target.to_string_lossy().into_owned()))
    }

    /// Where tasks write their files.
    pub fn place(&self) -> Place {
        Place::Folder(self.staging.parts())
    }

    /// Publishes `files`, and no others.
    ///
    /// # Errors
    /// Config when something has appeared at the target meanwhile, fenced after a newer attempt; else by the failing
    /// operation.
    pub fn commit(mut self, guard: &CommitGuard, partitions: u64, mut files: Vec<OutputFile>) -> Result<()> {
        // The first output at a place has the plain names, later ones may meet a reader of an earlier.
        if self.request.mode.joins() {
            let tag = self.staging.tag();
            files.iter_mut().for_each(|file| file.name = tagged(&file.name, tag));
        }
        let ready = self.make_ready(&files)?;
        failpoint::reached("commit.ready");
        let mut locked = LockedHead::take(&self.target, &self.run)?;
        let gone = Arc::clone(&self.gone);
        let gone = lock(&gone);
        if *gone {
            return Err(Error::job_stopped());
        }
        recover(&mut locked, &self.target)?;
        check_plain(&locked, &self.target)?;
        let output = super::output(file_uri(&self.target), partitions, &files);
        let pending = self.pending(&ready, &files, output.clone())?;
        locked.head.check(&self.claim, &pending.scope)?;
        self.write_manifest(&ready, &pending, &files, locked.head.version + 1)?;
        let site = Site { ready: &ready, target: &self.target };
        let committed = commit_under_lock(&mut locked, pending, &site);
        // A commit that is recorded is finished by the next publish, which needs the staged files.
        self.is_committed = committed.is_ok() || locked.head.state.is_some();
        self.keeps_staging = committed.is_err() && self.is_committed;
        committed?;
        self.request.report(&self.run, output, locked.head.version);
        guard.decided();
        // From here on the output is there; a parent that cannot be synced is only worth a warning.
        if let Err(error) = self.sync_above() {
            log::warn!("{error}");
        }
        Ok(())
    }

    /// The tree of the output, durable but not in its place.
    fn make_ready(&self, files: &[OutputFile]) -> Result<PathBuf> {
        sync_files(&self.staging.parts(), files)?;
        let ready = self.staging.ready();
        let mut folders = BTreeSet::from([ready.clone()]);
        fs::create_dir(&ready).map_err(|e| cannot("make the folder", &ready, e))?;
        for file in files {
            let (from, to) = (self.staging.parts().join(&file.staged), ready.join(&file.name));
            let above = to.ancestors().skip(1).take_while(|folder| *folder != ready);
            folders.extend(above.map(Path::to_path_buf));
            let folder = to.parent().unwrap_or(&ready);
            fs::create_dir_all(folder).map_err(|e| cannot("make the folder", folder, e))?;
            fs::rename(&from, &to).map_err(|e| cannot("take the file", &from, e))?;
        }
        for partition in &self.request.expected {
            let folder = ready.join(partition);
            fs::create_dir_all(&folder).map_err(|e| cannot("make the folder", &folder, e))?;
            folders.extend(folder.ancestors().take_while(|folder| *folder != ready).map(Path::to_path_buf));
        }
        folders.iter().try_for_each(|folder| sync(folder))?;
        Ok(ready)
    }

    /// What the commit will do.
    fn pending(&self, ready: &Path, files: &[OutputFile], output: Output) -> Result<Pending> {
        let (scope, change) = match self.request.mode {
            Mode::Error | Mode::Ignore => (Scope::new_output(), Change::Create),
            Mode::Overwrite => (Scope::whole(), Change::Replace),
            Mode::Append | Mode::AppendOnce => {
                // A file without rows gives the columns; here others do.
                let names = files.iter().filter(|file| file.rows > 0).map(|file| file.name.clone()).collect();
                (Scope::of(super::partitions(files, &[]), false), Change::Append(names))
            }
            Mode::ReplacePartitions => {
                let folders = super::partitions(files, &self.request.expected);
                let is_filled = |folder: &String| {
                    ready.join(folder).read_dir().is_ok_and(|mut entries| entries.next().is_some())
                };
                let (filled, emptied) = folders.iter().cloned().partition(is_filled);
                (Scope::of(folders, true), Change::Partitions { filled, emptied })
            }
        };
        let (claim, staging, tag) =
            (self.claim.clone(), self.staging.name().to_owned(), self.staging.tag().to_owned());
        Ok(Pending { claim, scope, output, counters: self.run.facts().counters, staging, tag, change })
    }

    /// Writes the manifest of the output as it will be after the commit.
    fn write_manifest(
        &self,
        ready: &Path,
        pending: &Pending,
        files: &[OutputFile],
        version: u64,
    ) -> Result<()> {
        let kept = match &pending.change {
            Change::Create | Change::Replace => Vec::new(),
            Change::Append(_) | Change::Partitions { .. } => {
                let present = present_files(&self.target)?.into_iter();
                present.filter(|file| !pending.scope.removes(&file.name)).collect()
            }
        };
        let new: Vec<OutputFile> = match &pending.change {
            Change::Append(_) if self.target.is_dir() => {
                files.iter().filter(|file| file.rows > 0).cloned().collect()
            }
            _ => files.to_vec(),
        };
        let manifest = Manifest {
            version,
            run_id: self.run.run_id().to_owned(),
            attempt: self.claim.attempt,
            publish: self.claim.publish.clone(),
            files: super::merged(kept, &new),
        };
        let path = ready.join(MANIFEST);
        let written = File::create(&path).and_then(|mut file| {
            file.write_all(&manifest.to_json())?;
            file.sync_all()
        });
        written.and_then(|()| File::open(ready)?.sync_all()).map_err(|e| cannot("write", &path, e))
    }

    /// Makes the target's name durable, with the names of the folders that were made for it.
    fn sync_above(&self) -> Result<()> {
        let mut above = self.target.ancestors().skip(1);
        above.next().map_or(Ok(()), sync)?;
        above.take_while(|folder| self.staging.has_made_in(folder)).try_for_each(sync)
    }
}

impl Drop for LocalPublication {
    fn drop(&mut self) {
        if !self.keeps_staging {
            self.staging.remove();
        }
        if !self.is_committed {
            withdraw(&self.target, &self.claim, &self.staging);
        }
    }
}

/// Refuses plain files where a Delta table is, or is decided to be.
fn check_plain(locked: &LockedHead, target: &Path) -> Result<()> {
    match locked.head.first_version().is_some() || target.join(LOG).is_dir() {
        true => Err(form::is_table().at("output", file_uri(target))),
        false => Ok(()),
    }
}

/// Ends the claim of a publish that came to nothing, and removes the folders that were made for it.
fn withdraw(target: &Path, claim: &Claim, staging: &Staging) {
    // A claim that stays does no harm: the next attempt takes it over.
    if let Ok(Some(mut locked)) = LockedHead::try_take(target) {
        locked.head.withdraw(claim);
        match locked.head.is_empty() {
            true => locked.remove(),
            false => drop(locked.save(false)),
        }
    }
    staging.remove_made_folders();
}

/// The head, once the caller's wish about another attempt of the run that is alive is met; `None` to give way to it.
fn wait_for_rival(target: &Path, publisher: &Publisher, run: &Run) -> Result<Option<LockedHead>> {
    let begun = Instant::now();
    loop {
        let mut locked = LockedHead::take(target, run)?;
        recover(&mut locked, target)?;
        let is_alive =
            locked.head.rival(publisher).is_some_and(|rival| staging::is_alive(target, &rival.publish));
        match run.options().if_running {
            IfRunning::Skip if is_alive => return Ok(None),
            IfRunning::Wait if is_alive && begun.elapsed() > run.options().wait_limit => {
                let error = Error::transient("another attempt of this run is still under way");
                return Err(error.reason("attempt_running").at("output", file_uri(target)));
            }
            IfRunning::Wait if is_alive => drop(locked),
            _ => return Ok(Some(locked)),
        }
        if run.cancel.is_requested() {
            return Err(Error::job_stopped());
        }
        std::thread::sleep(RIVAL_LOOK);
    }
}

/// Whether there is something to do; an error when the mode does not allow what is there.
fn is_free(target: &Path, mode: Mode) -> Result<bool> {
    match fs::metadata(target) {
        Ok(_) if mode == Mode::Ignore => Ok(false),
        Ok(meta) if mode.joins() && !meta.is_dir() => Err(not_a_folder(&file_uri(target))),
        Ok(_) if mode.joins() => Ok(true),
        // A link that leads nowhere is something, too.
        _ if fs::symlink_metadata(target).is_ok() => Err(exists(&file_uri(target))),
        _ => Ok(true),
    }
}

/// The commit itself: decided when the head is saved with it, done when the head is saved without it.
fn commit_under_lock(locked: &mut LockedHead, pending: Pending, site: &Site<'_>) -> Result<()> {
    locked.head.state = Some(pending);
    locked.head.changed();
    locked.save(true)?;
    failpoint::reached("commit.decided");
    finish(locked, site)
}

/// Finishes the commit that the head has recorded, or takes it back when that fails.
fn finish(locked: &mut LockedHead, site: &Site<'_>) -> Result<()> {
    let Some(pending) = locked.head.state.clone() else { return Ok(()) };
    let applied = pending.apply(site);
    if applied.is_err() {
        // What cannot be taken back stays recorded, so that the next publish tries to finish it.
        pending.undo(site)?;
    }
    failpoint::reached("commit.renamed");
    locked.head.state = None;
    match applied {
        Ok(()) => locked.head.publish(&pending.claim, pending.scope, pending.output, pending.counters),
        Err(_) => locked.head.withdraw(&pending.claim),
    }
    locked.save(true)?;
    failpoint::reached("commit.published");
    applied
}

/// Finishes the commit of a driver that was killed in it.
pub(super) fn recover(locked: &mut LockedHead, target: &Path) -> Result<()> {
    let Some(pending) = locked.head.state.as_ref() else { return Ok(()) };
    log::warn!("finishing the commit of a job that was killed: {}", file_uri(target));
    let ready = target.parent().unwrap_or(target).join(STAGE).join(&pending.staging).join(staging::READY);
    finish(locked, &Site { ready: &ready, target }).map_err(|e| e.at("output", file_uri(target)))
}

/// The head of an output for whoever changes nothing, after the commit of a driver that was killed in it was finished.
///
/// # Errors
/// As [`LockedHead::take`]; by the failing operation.
pub fn settled(target: &Path, run: &Run) -> Result<locked::Head> {
    let head = peek(target)?;
    if head.state.is_none() {
        return Ok(head);
    }
    let mut locked = LockedHead::take(target, run)?;
    recover(&mut locked, target)?;
    Ok(locked.head)
}

/// The files of an output as they are on disk, with their rows where its manifest knows them.
///
/// # Errors
/// By the failing operation.
pub fn present_files(target: &Path) -> Result<Vec<ManifestFile>> {
    let known = fs::read(target.join(MANIFEST)).ok().and_then(|json| Manifest::parse(&json));
    let known: BTreeMap<String, Option<u64>> =
        known.into_iter().flat_map(|manifest| manifest.files).map(|file| (file.name, file.rows)).collect();
    let mut files = Vec::new();
    let mut folders = vec![target.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = match folder.read_dir() {
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            entries => entries.map_err(|e| cannot("read the folder", &folder, e))?,
        };
        for entry in entries {
            let entry = entry.map_err(|e| cannot("read the folder", &folder, e))?;
            let is_hidden = entry.file_name().to_string_lossy().starts_with(['_', '.']);
            let meta = fs::metadata(entry.path()).map_err(|e| cannot("look at", &entry.path(), e))?;
            match entry.path().strip_prefix(target) {
                Ok(_) if meta.is_dir() => folders.push(entry.path()),
                Ok(name) if !is_hidden => {
                    let name = name.to_string_lossy().into_owned();
                    files.push(ManifestFile {
                        rows: known.get(&name).copied().flatten(),
                        name,
                        bytes: meta.len(),
                    });
                }
                _ => {}
            }
        }
    }
    Ok(files)
}

/// Makes files that tasks have written at their final names below `root` durable, and the folders that lead to them.
///
/// # Errors
/// As [`sync_files`].
pub fn sync_table(root: &Path, files: &[OutputFile]) -> Result<()> {
    sync_files(root, files)?;
    pending::sync_folders(root, files.iter().map(|file| &file.name))?;
    root.parent().filter(|_| !files.is_empty()).map_or(Ok(()), sync)
}

fn lock(gone: &Mutex<bool>) -> MutexGuard<'_, bool> {
    gone.lock().unwrap_or_else(PoisonError::into_inner)
}

fn sync(folder: &Path) -> Result<()> {
    File::open(folder).and_then(|f| f.sync_all()).map_err(|e| cannot("sync the folder", folder, e))
}

fn cannot(what: &str, path: &Path, error: io::Error) -> Error {
    Error::io(format!("cannot {what}"), error).at("path", path.display())
}
