//! Finds the files at an address.
//!
//! The files are sorted, so that every run has the same list. A plain path is one file, a folder means the
//! files directly in it, a pattern the files that match. Folders are opened level by level, and only where
//! the pattern can match. The files themselves are not read.
//!
//! Input is never silently empty:
//! - Names that begin with `_` or `.` are bookkeeping (`_SUCCESS`, `.crc`) and hidden: they are skipped
//!   unless the address contains that first character literally. A folder named `key=value` is never hidden.
//! - A folder that contains only folders or hidden files is an error, and so is a pattern that matches
//!   nothing. An empty folder, or one with only the marker `_SUCCESS`, has no rows and causes a warning.
//! - In an object store, a folder with a manifest of Kiln is an output, and its files are those that the
//!   manifest lists (`manifest`).
//! - Links to files and folders are followed, each under its own address. A link back to a folder that `**`
//!   is visiting adds nothing, because the files there are found already. A dangling link causes a warning.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hasher;
use std::time::SystemTime;

use object_store::path::Path;
use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_64;

use super::folder::{Content, Found, Identity, Stat, find, identity, read_folder};
use super::location::Location;
use super::manifest::{MANIFEST, Manifest, TAG_CHARS, is_tagged};
use super::pattern::{self, Segment, is_hidden, is_hidden_folder};
use super::store::Store;
use super::version::Version;
use crate::error::{Error, Result};

/// Files that mark an output as complete and have no rows.
const MARKERS: [&str; 2] = ["_SUCCESS", "._SUCCESS.crc"];

/// How often a prefix is listed while concurrent publishes change it.
const MAX_LISTINGS: u32 = 5;

/// A file to read: its absolute address, and its size and version when it was listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputFile {
    /// Absolute, so it opens the same file in another process. Wildcard characters in it are literal.
    pub address: String,
    /// Size in bytes; for a compressed file, the compressed size.
    pub size: u64,
    /// Distinguishes it from another file at the same address.
    pub version: Version,
}

/// Which files a listing skips, and how deep it goes.
#[derive(Clone, Copy, Debug, Default)]
pub struct ListOptions {
    /// Includes files in the folders below a folder.
    pub recurse: bool,
    /// Only files that were modified at this time or later.
    pub modified_since: Option<SystemTime>,
    /// An address that does not exist yields no files instead of an error.
    pub ignore_missing: bool,
}

/// The result of a listing.
#[derive(Clone, Debug, Default)]
pub struct Listed {
    /// The files, sorted by address.
    pub files: Vec<InputFile>,
    /// The number of files skipped because of the options.
    pub skipped: u64,
}

impl Listed {
    /// The total size of the files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }

    /// A hash of the addresses, sizes and versions, in hexadecimal: equal lists have equal hashes.
    pub fn hash(&self) -> String {
        let mut hasher = XxHash3_64::new();
        for InputFile { address, size, version } in &self.files {
            // Addresses have no control characters, so the lines of two lists are equal only if the lists
            // are.
            hasher.write(format!("{address}\n{size}\n{version:?}\n").as_bytes());
        }
        format!("{:016x}", hasher.finish())
    }
}

/// The files at `address` that match `options`.
///
/// An empty folder yields an empty list: an upstream job may have had nothing to write.
///
/// # Errors
/// Of class config when a plain path does not exist, a pattern matches nothing or a folder contains only
/// folders or hidden files; of class auth without permission to read a folder or file.
pub fn list_with(address: &str, options: &ListOptions) -> Result<Listed> {
    let location = Location::parse(address)?;
    let mut tries = 1;
    loop {
        let mut files = Files::new(&location.store, options);
        match &location.pattern {
            Some(pattern) => files.add_matching(&location, pattern)?,
            None => files.add_plain(&location)?,
        }
        match files.keep_published(&location)? {
            None => return Ok(files.listed()),
            // A publish happened between the listing and the reading of the manifest: the next listing
            // includes its files.
            Some(_) if tries < MAX_LISTINGS => tries += 1,
            Some(missing) => return Err(missing),
        }
    }
}

/// The files found so far, sorted and without duplicates, because `{a,a*}` finds some files twice.
struct Files<'a> {
    store: &'a Store,
    options: &'a ListOptions,
    found: BTreeMap<String, Stat>,
    /// The number of addresses that do not exist.
    missing: u64,
    /// What folders contain that is not read.
    passed: BTreeSet<&'static str>,
    /// The prefixes of a store that were listed, and whether each has a manifest.
    prefixes: BTreeMap<Path, bool>,
    /// The folders that `**` is visiting, outermost first, each with the number of segments left to match
    /// below it.
    entered: Vec<(Identity, usize)>,
}

impl<'a> Files<'a> {
    fn new(store: &'a Store, options: &'a ListOptions) -> Files<'a> {
        let (found, passed, entered) = (BTreeMap::new(), BTreeSet::new(), Vec::new());
        Files { store, options, found, missing: 0, passed, prefixes: BTreeMap::new(), entered }
    }

    fn add(&mut self, path: &Path, stat: Stat) {
        self.found.insert(self.store.address(path), stat);
    }

    fn read_folder(&mut self, folder: &Path) -> Result<Content> {
        let content = read_folder(self.store, folder)?;
        if !self.store.is_local() {
            let has_manifest = content.files.iter().any(|(name, _)| name == MANIFEST);
            self.prefixes.insert(folder.clone(), has_manifest);
        }
        Ok(content)
    }

    /// Removes the objects that are not part of the output around them: those of a publish that is in
    /// progress or was killed, and those that were replaced. Returns the error when an object that a manifest
    /// lists is missing.
    fn keep_published(&mut self, location: &Location) -> Result<Option<Error>> {
        if self.store.is_local() {
            return Ok(None);
        }
        let objects = self.found.keys().map(|address| Location::exact(address).map(|object| object.path));
        let objects = objects.collect::<Result<Vec<Path>>>()?;
        let mut manifests = BTreeMap::new();
        for root in objects.iter().flat_map(outputs_of).chain(self.prefixes.keys().cloned()) {
            if self.prefixes.get(&root) != Some(&false) && !manifests.contains_key(&root) {
                let named = self.named_in(&root)?;
                manifests.insert(root, named);
            }
        }
        let mut undecided = BTreeMap::new();
        for path in objects.iter().filter(|path| **path != location.path) {
            let governing = outputs_of(path).into_iter().find_map(|root| manifests.get(&root)?.as_ref());
            let is_published = match governing {
                Some(named) => named.contains(path),
                None => !self.is_undecided(path, &mut undecided)?,
            };
            if !is_published {
                log::info!("no part of the output: {}", self.store.address(path));
                self.found.remove(&self.store.address(path));
            }
        }
        if !objects.is_empty() && self.found.is_empty() && manifests.values().all(Option::is_none) {
            return Ok(location.pattern.is_none().then(|| missing(location)));
        }
        let here =
            manifests.get(&location.path).and_then(Option::as_ref).filter(|_| location.pattern.is_none());
        let is_missing = |path: &&Path| {
            let is_asked_for = self.options.recurse || parent(path) == location.path;
            is_asked_for && !self.found.contains_key(&self.store.address(path))
        };
        let missing = here.and_then(|named| named.iter().find(is_missing));
        Ok(missing.map(|missing| not_there(&self.store.address(missing))))
    }

    /// Whether an object belongs to a first publish that is in progress or was killed; `known` caches the
    /// tags of outputs.
    fn is_undecided(&self, path: &Path, known: &mut BTreeMap<Path, Vec<String>>) -> Result<bool> {
        if !may_be_tagged(path) {
            return Ok(false);
        }
        let name = path.filename().unwrap_or_default();
        for root in outputs_of(path) {
            if !known.contains_key(&root) {
                known.insert(root.clone(), Manifest::unpublished(self.store, &root)?);
            }
            if known[&root].iter().any(|tag| is_tagged(name, tag)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The objects that the manifest at `root` lists, if it exists.
    fn named_in(&self, root: &Path) -> Result<Option<BTreeSet<Path>>> {
        let manifest = Manifest::read(self.store, root)?;
        let named = |manifest: Manifest| manifest.files.iter().map(|file| join(root, &file.name)).collect();
        manifest.map(named).transpose()
    }

    /// The files that remain after the options are applied.
    fn listed(self) -> Listed {
        let all = self.found.len() as u64;
        let is_wanted = |stat: &Stat| self.options.modified_since.is_none_or(|since| stat.modified >= since);
        let wanted = self.found.into_iter().filter(|(_, stat)| is_wanted(stat));
        let files: Vec<_> = wanted.map(|(address, stat)| stat.file_at(address)).collect();
        Listed { skipped: all - files.len() as u64 + self.missing, files }
    }

    fn add_plain(&mut self, location: &Location) -> Result<()> {
        match find(self.store, &location.path)? {
            Found::File(stat) if !location.is_folder => self.add(&location.path, stat),
            Found::Folder => {
                match self.options.recurse {
                    true => self.walk(&location.path, &[Segment::Deep, Segment::any()])?,
                    false => self.add_folder(&location.path)?,
                }
                self.check_found(location)?;
            }
            Found::File(_) => return Err(Error::config("not a folder").at("file", location.address())),
            Found::Nothing if self.options.ignore_missing => self.missing += 1,
            Found::Nothing => return Err(missing(location)),
        }
        Ok(())
    }

    fn add_folder(&mut self, folder: &Path) -> Result<()> {
        let content = self.read_folder(folder)?;
        self.passed.extend((!content.folders.is_empty()).then_some("folders"));
        self.note_passed(&content);
        for (name, stat) in content.files.iter().filter(|(name, _)| !is_hidden(name)) {
            self.add(&join(folder, name)?, stat.clone());
        }
        Ok(())
    }

    /// Records what is skipped in a folder whose files are all wanted.
    fn note_passed(&mut self, content: &Content) {
        let is_passed = |name: &String| is_hidden(name) && !MARKERS.contains(&name.as_str());
        let has_hidden = content.files.iter().any(|(name, _)| is_passed(name))
            || content.folders.iter().any(|folder| is_hidden_folder(folder));
        self.passed.extend(has_hidden.then_some("hidden names"));
        self.passed.extend(content.has_dangling.then_some("links that lead nowhere"));
    }

    /// Refuses a folder that is not empty but has no file to read.
    fn check_found(&self, location: &Location) -> Result<()> {
        if !self.found.is_empty() {
            return Ok(());
        }
        if self.passed.is_empty() {
            log::warn!("no files are in the folder {}", location.address());
            return Ok(());
        }
        let what: Vec<&str> = self.passed.iter().copied().collect();
        let error = Error::config(format!("the folder has no file to read, only {}", what.join(" and ")));
        Err(error.at("folder", location.uri()).help(
            "`read().hive_partitions()`, and `/**` at the end of the address, read the folders below it, too; names that \
             begin with _ or . are hidden, and are read when the address spells that character, as in `/_*`",
        ))
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
                "names that begin with _ or . are left out; a pattern that ends in / reads the files in folders, one that \
                 ends in /** also those in the folders below",
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
        let content = self.read_folder(folder)?;
        if rest.is_empty() {
            for (name, stat) in content.files.iter().filter(|(name, _)| matches_file(wild, name)) {
                self.add(&join(folder, name)?, stat.clone());
            }
            return Ok(());
        }
        for child in content.folders.iter().filter(|child| matches_folder(wild, child)) {
            self.walk(&join(folder, child)?, rest)?;
        }
        Ok(())
    }

    fn walk_deep(&mut self, folder: &Path, segments: &[Segment], rest: &[Segment]) -> Result<()> {
        // Without this check, a cycle of links would be followed until the address is too long.
        let here = identity(self.store, folder)?.map(|identity| (identity, segments.len()));
        if here.is_some_and(|here| self.entered.contains(&here)) {
            return Ok(());
        }
        self.entered.extend(here);
        self.walk(folder, rest)?;
        let content = self.read_folder(folder)?;
        self.note_passed(&content);
        for child in content.folders.iter().filter(|child| !is_hidden_folder(child)) {
            self.walk(&join(folder, child)?, segments)?;
        }
        if here.is_some() {
            self.entered.pop();
        }
        Ok(())
    }
}

/// The prefixes of outputs that the object `path` may be part of, innermost first: folders named `key=value`
/// may be partitions of an output around them.
pub fn outputs_of(path: &Path) -> Vec<Path> {
    let mut folders = vec![parent(path)];
    while let Some(folder) =
        folders.last().filter(|folder| folder.filename().is_some_and(|name| name.contains('=')))
    {
        folders.push(parent(folder));
    }
    folders
}

/// Whether a file name may contain the tag of a publish: a dash and eight hexadecimal digits.
pub fn may_be_tagged(path: &Path) -> bool {
    let name = path.filename().unwrap_or_default();
    let is_tag = |part: &str| {
        part.len() >= TAG_CHARS && part.bytes().take(TAG_CHARS).all(|byte| byte.is_ascii_hexdigit())
    };
    name.split('-').skip(1).any(is_tag)
}

fn parent(path: &Path) -> Path {
    let above = path.as_ref().rsplit_once('/').map_or("", |(above, _)| above);
    Path::parse(above).unwrap_or_default()
}

fn not_there(address: &str) -> Error {
    Error::data("a file of the output is missing").reason("missing_file").at("file", address).help(
        "the manifest _SUCCESS beside it names it; was it removed by hand, or is the output replaced again and again?",
    )
}

fn matches_file(wild: &glob::Pattern, name: &str) -> bool {
    pattern::matches(wild, name, is_hidden(name))
}

fn matches_folder(wild: &glob::Pattern, name: &str) -> bool {
    pattern::matches(wild, name, is_hidden_folder(name))
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
