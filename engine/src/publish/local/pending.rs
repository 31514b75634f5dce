//! A commit on disk: the renames that bring an output's files from the staging folder to the target.
//!
//! The head records the commit before the first rename. From then on the publish is decided, and [`Pending::apply`]
//! finishes it: the driver itself or, if that was killed, whoever takes the lock next. Every step looks whether it was
//! done already, so that it can be repeated. When a step fails, [`Pending::undo`] takes back the ones before it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Component, Path};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::{cannot, sync};
use crate::error::Result;
use crate::failpoint;
use crate::job::Output;
use crate::publish::head::{Claim, Scope};
use crate::publish::mode::{exists, not_a_folder};
use crate::source::{MANIFEST, Manifest, file_uri};

/// A commit that has begun.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pending {
    /// Who publishes, what, and what will be reported.
    pub claim: Claim,
    pub scope: Scope,
    pub output: Output,
    pub counters: BTreeMap<String, u64>,
    /// The name of the staging folder.
    pub staging: String,
    /// What the names of its files have in them.
    pub tag: String,
    pub change: Change,
}

/// What is renamed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Change {
    /// The whole folder, to a target that must be free.
    Create,
    /// The whole folder, in exchange for the target.
    Replace,
    /// Files into the target, by their paths in it.
    Append(Vec<String>),
    /// Folders of partitions in exchange for those of the target; `emptied` ones have no rows any more.
    Partitions { filled: Vec<String>, emptied: Vec<String> },
}

/// Where a commit takes place.
pub struct Site<'a> {
    /// The tree of the new files, in the staging folder.
    pub ready: &'a Path,
    pub target: &'a Path,
}

impl Pending {
    /// Finishes the commit; a second time it changes nothing.
    ///
    /// # Errors
    /// Config when the target must be free and is not, or is a file; else by the failing operation.
    pub fn apply(&self, site: &Site<'_>) -> Result<()> {
        if self.is_published(site.target) {
            return Ok(());
        }
        match &self.change {
            // Whatever the mode: what is added to nothing is the whole output.
            _ if rename_to_new(site.ready, site.target)? => return Ok(()),
            Change::Create => return Err(exists(&file_uri(site.target))),
            _ if !site.target.is_dir() => return Err(not_a_folder(&file_uri(site.target))),
            Change::Replace => return exchange(site.ready, site.target),
            Change::Append(files) => {
                files.iter().try_for_each(|name| site.move_in(name))?;
                sync_folders(site.target, files)?;
            }
            Change::Partitions { filled, emptied } => {
                filled.iter().try_for_each(|folder| self.fill(site, folder))?;
                emptied.iter().try_for_each(|folder| empty(site, folder))?;
                sync_folders(site.target, filled.iter().chain(emptied))?;
            }
        }
        failpoint::reached("commit.applied");
        put_manifest(site)
    }

    /// Takes back what [`apply`](Pending::apply) has done before it failed, as far as that can be done.
    ///
    /// # Errors
    /// By the failing operation: some of the new files are then in the target.
    pub fn undo(&self, site: &Site<'_>) -> Result<()> {
        match &self.change {
            Change::Create | Change::Replace => Ok(()),
            Change::Append(files) => files
                .iter()
                .filter(|name| self.is_ours(name))
                .try_for_each(|name| remove_file(site.target, name)),
            Change::Partitions { filled, emptied } => {
                let is_filled = |folder: &&String| has_tag(&site.target.join(folder), &self.tag);
                let is_emptied = |folder: &&String| !is_empty(&site.ready.join(folder));
                let swapped = filled.iter().filter(is_filled).chain(emptied.iter().filter(is_emptied));
                swapped
                    .into_iter()
                    .try_for_each(|folder| swap(&site.ready.join(folder), &site.target.join(folder)))
            }
        }
    }

    /// Whether the target is the output of this publish.
    fn is_published(&self, target: &Path) -> bool {
        let manifest = fs::read(target.join(MANIFEST)).ok().and_then(|json| Manifest::parse(&json));
        manifest.is_some_and(|manifest| manifest.publish == self.claim.publish)
    }

    /// Puts the new rows of a partition in the place of the old ones.
    fn fill(&self, site: &Site<'_>, folder: &str) -> Result<()> {
        let (new, old) = (site.ready.join(folder), site.target.join(folder));
        if has_tag(&old, &self.tag) {
            return Ok(());
        }
        failpoint::reached("commit.partition");
        make_parent(&old)?;
        if rename_to_new(&new, &old)? { Ok(()) } else { exchange(&new, &old) }
    }

    /// Whether a name leads into the target, to a file of this publish.
    fn is_ours(&self, name: &str) -> bool {
        let is_inside = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
        is_inside
            && !self.tag.is_empty()
            && name.rsplit('/').next().is_some_and(|file| file.contains(&self.tag))
    }
}

impl Site<'_> {
    /// Moves a file into the target, unless it is there.
    fn move_in(&self, name: &str) -> Result<()> {
        let (from, to) = (self.ready.join(name), self.target.join(name));
        if !from.exists() && to.exists() {
            return Ok(());
        }
        failpoint::reached("commit.file");
        make_parent(&to)?;
        if rename_to_new(&from, &to)? { Ok(()) } else { Err(exists(&file_uri(&to))) }
    }
}

/// Makes a partition that has no rows an empty folder.
fn empty(site: &Site<'_>, folder: &str) -> Result<()> {
    let (new, old) = (site.ready.join(folder), site.target.join(folder));
    if old.is_dir() && is_empty(&old) {
        return Ok(());
    }
    make_parent(&old)?;
    if rename_to_new(&new, &old)? { Ok(()) } else { exchange(&new, &old) }
}

/// Whether nothing is in a folder, or no folder is there.
fn is_empty(folder: &Path) -> bool {
    folder.read_dir().map_or(true, |mut entries| entries.next().is_none())
}

/// Puts the manifest into the target: from here on readers that go by it see the new files.
fn put_manifest(site: &Site<'_>) -> Result<()> {
    let (from, to) = (site.ready.join(MANIFEST), site.target.join(MANIFEST));
    match fs::rename(&from, &to) {
        Err(e) if e.kind() == io::ErrorKind::NotFound && to.exists() => Ok(()),
        Err(e) => Err(cannot("publish", &to, e)),
        Ok(()) => sync(site.target),
    }
}

/// Whether a file below `folder` has `tag` in its name.
fn has_tag(folder: &Path, tag: &str) -> bool {
    let Ok(entries) = folder.read_dir() else { return false };
    entries.flatten().any(|entry| {
        entry.file_name().to_string_lossy().contains(tag)
            || entry.file_type().is_ok_and(|kind| kind.is_dir()) && has_tag(&entry.path(), tag)
    })
}

/// Exchanges two folders in one step, or in two where the file system cannot.
fn exchange(new: &Path, old: &Path) -> Result<()> {
    match renameat_with(CWD, new, CWD, old, RenameFlags::EXCHANGE) {
        Ok(()) => Ok(()),
        Err(Errno::INVAL | Errno::NOSYS) => {
            let aside = new.with_file_name(format!("old-{}", uuid::Uuid::new_v4()));
            fs::rename(old, &aside).map_err(|e| cannot("replace", old, e))?;
            fs::rename(new, old).map_err(|e| {
                let _ = fs::rename(&aside, old);
                cannot("publish", old, e)
            })
        }
        Err(e) => Err(cannot("replace", old, e.into())),
    }
}

/// Brings a partition's old folder back; a new folder without an old one goes back to the staging folder.
fn swap(aside: &Path, published: &Path) -> Result<()> {
    if aside.exists() {
        return exchange(aside, published);
    }
    fs::rename(published, aside).map_err(|e| cannot("take back", published, e))
}

fn remove_file(target: &Path, name: &str) -> Result<()> {
    let path = target.join(name);
    match fs::remove_file(&path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(cannot("take back", &path, e)),
        _ => {}
    }
    // A folder that was made for it; one that holds something else stays.
    if let Some(folder) = path.parent().filter(|folder| *folder != target) {
        let _ = fs::remove_dir(folder);
    }
    Ok(())
}

fn make_parent(path: &Path) -> Result<()> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).map_err(|e| cannot("make the folder", folder, e))
}

/// Makes names in `target` durable, with the folders that lead to them: they may be new.
pub fn sync_folders<'n>(target: &Path, names: impl IntoIterator<Item = &'n String>) -> Result<()> {
    let mut folders = BTreeSet::new();
    for name in names {
        let path = target.join(name);
        folders.extend(path.ancestors().skip(1).take_while(|f| f.starts_with(target)).map(Path::to_path_buf));
    }
    folders.iter().try_for_each(|folder| sync(folder))
}

/// Renames to a name that must be free; returns whether it was.
fn rename_to_new(from: &Path, to: &Path) -> Result<bool> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(true),
        Err(Errno::EXIST | Errno::NOTEMPTY) => Ok(false),
        // Some file systems cannot promise it; commits of Kiln take turns, so looking first is enough.
        Err(Errno::INVAL | Errno::NOSYS) if fs::symlink_metadata(to).is_ok() => Ok(false),
        Err(Errno::INVAL | Errno::NOSYS) => {
            fs::rename(from, to).map(|()| true).map_err(|e| cannot("publish", to, e))
        }
        Err(e) => Err(cannot("publish", to, e.into())),
    }
}
