//! The list of files that an append is about to add, so that a killed one can be taken back.
//!
//! It is written before the first file moves and removed after the last one is durable: its removal
//! is the commit. It lies in the staging folder, and nothing that it says leads outside of the target
//! or to a file without the publish's own tag.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};

use super::{cannot, sync};
use crate::error::Result;

/// Its name in the staging folder.
const NAME: &str = "append";

/// A journal that is written.
pub struct Journal {
    path: PathBuf,
}

impl Journal {
    /// Writes down the paths `names`, relative to the target.
    ///
    /// # Errors
    /// By the failing operation.
    pub fn write(staging: &Path, names: &[&str]) -> Result<Journal> {
        let path = staging.join(NAME);
        let text: String = names.iter().map(|name| format!("{name}\n")).collect();
        let written = File::create_new(&path).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        });
        written.map_err(|e| cannot("write", &path, e))?;
        // With the folders that lead to it: the staging folder itself, that of all of them, the parent.
        staging.ancestors().take(3).try_for_each(sync)?;
        Ok(Journal { path })
    }

    /// Says that all files have come, for good: a journal that is back after the power has failed would
    /// take back an append that was reported.
    pub fn end(self) -> Result<()> {
        fs::remove_file(&self.path).map_err(|e| cannot("remove", &self.path, e))?;
        self.path.parent().map_or(Ok(()), sync)
    }
}

/// Removes from `target` what the journal in `staging` names, if there is one.
pub fn undo(staging: &Path, target: &Path, tag: &str) {
    let Ok(text) = fs::read_to_string(staging.join(NAME)) else { return };
    take_back(text.lines(), target, tag);
}

/// Removes the files `names` of a publish from `target`.
pub fn take_back<'n>(names: impl Iterator<Item = &'n str>, target: &Path, tag: &str) {
    for name in names.filter(|name| is_ours(Path::new(name), tag)) {
        let path = target.join(name);
        match fs::remove_file(&path) {
            Ok(()) => log::info!("taken back: {}", path.display()),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => log::warn!("{} of an unfinished append cannot be removed: {e}", path.display()),
        }
        // A folder that was made for it; one that holds something else stays.
        if let Some(folder) = path.parent().filter(|folder| *folder != target) {
            let _ = fs::remove_dir(folder);
        }
    }
}

fn is_ours(name: &Path, tag: &str) -> bool {
    let is_inside = name.components().all(|part| matches!(part, Component::Normal(_)));
    let has_tag = name.file_name().is_some_and(|file| file.to_string_lossy().contains(tag));
    is_inside && has_tag && !tag.is_empty()
}
