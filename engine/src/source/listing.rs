//! Finds the files behind an address.
//!
//! An address enters, its files leave, sorted, so that every run sees the same list. A plain path
//! is one file, a folder is the files directly in it, a pattern is the files that match. Names that
//! begin with `_` or `.` are bookkeeping (`_SUCCESS`, `.crc`) and are left out unless the address
//! spells that first character. Folders are opened level by level and only where the pattern can match.
//! What is in the files is not looked at.

use std::collections::BTreeMap;
use std::time::SystemTime;

use object_store::path::Path;
use serde::{Deserialize, Serialize};

use super::folder::{Found, Stat, find, read_folder};
use super::location::Location;
use super::pattern::{self, Segment, is_hidden};
use super::store::Store;
use crate::error::{Error, Result};

/// A file to read: its absolute address and its size when it was listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputFile {
    /// Absolute: it opens the same file in another process. Wildcard characters in it are literal.
    pub address: String,
    /// Size in bytes, of the compressed file if it is compressed.
    pub size: u64,
}

/// Which files a listing leaves out, and how deep it goes.
#[derive(Clone, Copy, Debug, Default)]
pub struct ListOptions {
    /// Files in the folders below a folder, too; links are not followed.
    pub recurse: bool,
    /// Only files that were modified at this time or later.
    pub modified_since: Option<SystemTime>,
    /// An address at which nothing is gives no files, and no error.
    pub ignore_missing: bool,
}

/// What a listing has found.
#[derive(Clone, Debug, Default)]
pub struct Listed {
    /// The files, sorted by address.
    pub files: Vec<InputFile>,
    /// How many were left out because of the options.
    pub skipped: u64,
}

/// The files behind `address`, as `options` say.
///
/// A folder without files gives an empty list: a job upstream may have had nothing to write.
///
/// # Errors
/// Of class config when a plain path does not exist or a pattern matches nothing, of class auth
/// without permission to a folder or file.
pub fn list_with(address: &str, options: &ListOptions) -> Result<Listed> {
    let location = Location::parse(address)?;
    let mut files = Files { store: &location.store, options, found: BTreeMap::new(), missing: 0 };
    match &location.pattern {
        Some(pattern) => files.add_matching(&location, pattern)?,
        None => files.add_plain(&location)?,
    }
    Ok(files.listed())
}

/// The files found so far; sorted and without doubles, because `{a,a*}` finds some twice.
struct Files<'a> {
    store: &'a Store,
    options: &'a ListOptions,
    found: BTreeMap<String, Stat>,
    /// Addresses at which nothing is.
    missing: u64,
}

impl Files<'_> {
    fn add(&mut self, path: &Path, stat: Stat) {
        self.found.insert(self.store.address(path), stat);
    }

    /// What is left after the options.
    fn listed(self) -> Listed {
        let all = self.found.len() as u64;
        let is_wanted = |stat: &Stat| self.options.modified_since.is_none_or(|since| stat.modified >= since);
        let wanted = self.found.into_iter().filter(|(_, stat)| is_wanted(stat));
        let files: Vec<_> = wanted.map(|(address, stat)| InputFile { address, size: stat.size }).collect();
        Listed { skipped: all - files.len() as u64 + self.missing, files }
    }

    fn add_plain(&mut self, location: &Location) -> Result<()> {
        match find(self.store, &location.path)? {
            Found::File(stat) if !location.is_folder => self.add(&location.path, stat),
            Found::Folder if self.options.recurse => {
                self.walk(&location.path, &[Segment::Deep, Segment::any()])?
            }
            Found::Folder => self.add_folder(&location.path)?,
            Found::File(_) => return Err(Error::config("not a folder").at("file", location.address())),
            Found::Nothing if self.options.ignore_missing => self.missing += 1,
            Found::Nothing => return Err(missing(location)),
        }
        Ok(())
    }

    fn add_folder(&mut self, folder: &Path) -> Result<()> {
        for (name, stat) in read_folder(self.store, folder)?.files {
            if !is_hidden(&name) {
                self.add(&join(folder, &name)?, stat);
            }
        }
        Ok(())
    }

    fn add_matching(&mut self, location: &Location, pattern: &str) -> Result<()> {
        for mut segments in pattern::parse(pattern)? {
            if location.is_folder || segments.last() == Some(&Segment::Deep) {
                segments.push(Segment::any());
            }
            self.walk(&location.path, &segments)?;
        }
        if self.found.is_empty() && self.options.ignore_missing {
            self.missing += 1;
        } else if self.found.is_empty() {
            return Err(Error::config("no file matches").at("pattern", location.address()).help(
                "names that begin with _ or . are left out; a pattern that ends in / reads the files in folders",
            ));
        }
        Ok(())
    }

    /// Adds what matches `segments` under `folder`.
    fn walk(&mut self, folder: &Path, segments: &[Segment]) -> Result<()> {
        match segments {
            [] => Ok(()),
            [Segment::Name(name), rest @ ..] => self.walk_name(&join(folder, name)?, rest),
            [Segment::Wild(wild), rest @ ..] => self.walk_wild(folder, wild, rest),
            [Segment::Deep, rest @ ..] => self.walk_deep(folder, segments, rest),
        }
    }

    fn walk_name(&mut self, path: &Path, rest: &[Segment]) -> Result<()> {
        match find(self.store, path)? {
            Found::File(stat) if rest.is_empty() => self.add(path, stat),
            Found::Folder => self.walk(path, rest)?,
            Found::File(_) | Found::Nothing => {}
        }
        Ok(())
    }

    fn walk_wild(&mut self, folder: &Path, wild: &glob::Pattern, rest: &[Segment]) -> Result<()> {
        let content = read_folder(self.store, folder)?;
        if rest.is_empty() {
            for (name, stat) in content.files.iter().filter(|(name, _)| pattern::matches(wild, name)) {
                self.add(&join(folder, name)?, *stat);
            }
            return Ok(());
        }
        for child in content.folders.iter().filter(|child| pattern::matches(wild, &child.name)) {
            self.walk(&join(folder, &child.name)?, rest)?;
        }
        Ok(())
    }

    fn walk_deep(&mut self, folder: &Path, segments: &[Segment], rest: &[Segment]) -> Result<()> {
        self.walk(folder, rest)?;
        // Links are not followed, as in a shell: they can lead back up and never end.
        let folders = read_folder(self.store, folder)?.folders;
        for child in folders.iter().filter(|child| !child.is_link && !is_hidden(&child.name)) {
            self.walk(&join(folder, &child.name)?, segments)?;
        }
        Ok(())
    }
}

fn join(folder: &Path, name: &str) -> Result<Path> {
    Path::parse(format!("{folder}/{name}"))
        .map_err(|e| Error::config("the file name cannot be used").because(e))
}

fn missing(location: &Location) -> Error {
    let error = Error::config("no such file").at("file", location.address());
    if !location.store.is_local() {
        return error.help("there is no object of this name, and none with it as prefix");
    }
    let address = location.address();
    let parent = std::path::Path::new(&address).ancestors().skip(1).find(|parent| parent.exists());
    error.help(format!("the nearest existing parent is {}", parent.unwrap_or("/".as_ref()).display()))
}

#[cfg(test)]
mod tests;
