//! Looks up one path of a store: whether it is a file, a folder or nothing, and what a folder directly
//! contains.
//!
//! Names are returned with sizes and modification times, sorted by name. The local file system is read with
//! `std::fs`: `LocalFileSystem` skips entries that it has no permission to read, and silently missing input
//! is the worst kind of wrong result. Hidden names and wildcards are handled in `listing`.

use std::fs::{DirEntry, Metadata, metadata};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path as FilePath;
use std::time::SystemTime;

use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStoreExt};

use super::listing::InputFile;
use super::location::Location;
use super::split::Piece;
use super::store::Store;
use super::version::Version;
use crate::error::{Error, Result};

/// What is at a path.
pub(super) enum Found {
    File(Stat),
    Folder,
    Nothing,
}

/// The metadata of a file, which a store returns without opening it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stat {
    /// Size in bytes.
    pub(super) size: u64,
    pub(super) modified: SystemTime,
    version: Version,
}

impl Stat {
    /// The file at `address` with this size and version.
    pub(super) fn file_at(self, address: String) -> InputFile {
        InputFile { address, size: self.size, version: self.version }
    }
}

/// The direct content of a folder; empty if the folder does not exist.
#[derive(Default)]
pub(super) struct Content {
    pub(super) files: Vec<(String, Stat)>,
    /// Names of folders and of links to folders.
    pub(super) folders: Vec<String>,
    /// Whether there is a link whose target does not exist.
    pub(super) has_dangling: bool,
}

/// Identifies a folder, whatever path leads to it: its device and inode numbers.
pub(super) type Identity = (u64, u64);

/// What is at `path`.
pub(super) fn find(store: &Store, path: &Path) -> Result<Found> {
    let found = if store.is_local() { find_local(&store.address(path)) } else { find_object(store, path) };
    found.map_err(|e| e.at("file", store.address(path)))
}

/// The direct content of `folder`.
pub(super) fn read_folder(store: &Store, folder: &Path) -> Result<Content> {
    let content =
        if store.is_local() { read_local(&store.address(folder)) } else { read_prefix(store, folder) };
    content.map_err(|e| e.at("folder", store.address(folder)))
}

/// The identity of the folder at `path`, to detect cycles of links; `None` in a store, which has no links.
pub(super) fn identity(store: &Store, path: &Path) -> Result<Option<Identity>> {
    if !store.is_local() {
        return Ok(None);
    }
    match metadata(store.address(path)) {
        Ok(meta) => Ok(Some((meta.dev(), meta.ino()))),
        Err(e) if is_absent(&e) => Ok(None),
        Err(e) => Err(Error::io("cannot look at the folder", e).at("folder", store.address(path))),
    }
}

/// Whether the file of a planned piece no longer exists.
pub fn is_gone(piece: &Piece) -> Result<bool> {
    let location = Location::exact(&piece.address)?;
    Ok(matches!(find(&location.store, &location.path)?, Found::Nothing))
}

fn find_local(path: &str) -> Result<Found> {
    match metadata(path) {
        Ok(meta) if meta.is_dir() => Ok(Found::Folder),
        Ok(meta) if meta.is_file() => {
            // Only opening the file shows whether it is readable, and a job should not start without that.
            std::fs::File::open(path).map_err(|e| Error::io("cannot open the file", e))?;
            Ok(Found::File(stat(&meta)?))
        }
        Ok(_) => Err(Error::config("not a regular file").help("pipes and devices cannot be cut into splits")),
        Err(e) if is_absent(&e) => Ok(Found::Nothing),
        Err(e) => Err(Error::io("cannot look at the file", e)),
    }
}

fn find_object(store: &Store, path: &Path) -> Result<Found> {
    if !path.as_ref().is_empty() {
        match store.wait(store.objects().head(path)) {
            Ok(meta) => return Ok(Found::File(object_stat(&meta))),
            Err(object_store::Error::NotFound { .. }) => {}
            // The response to this request has no body; the response to a list request contains the reason.
            Err(e) => return Err(read_prefix(store, path).err().unwrap_or_else(|| e.into())),
        }
    }
    let content = read_prefix(store, path)?;
    Ok(if content.files.is_empty() && content.folders.is_empty() { Found::Nothing } else { Found::Folder })
}

fn read_local(path: &str) -> Result<Content> {
    let entries = match std::fs::read_dir(path) {
        Ok(entries) => entries,
        Err(e) if is_absent(&e) => return Ok(Content::default()),
        Err(e) => return Err(Error::io("cannot read the folder", e)),
    };
    let mut content = Content::default();
    for entry in entries {
        content.add_entry(&entry.map_err(|e| Error::io("cannot read the folder", e))?)?;
    }
    content.files.sort_unstable();
    content.folders.sort_unstable();
    Ok(content)
}

impl Content {
    fn add_entry(&mut self, entry: &DirEntry) -> Result<()> {
        let cannot = |e| Error::io("cannot look at the file", e).at("file", entry.path().display());
        let is_link = entry.file_type().map_err(cannot)?.is_symlink();
        let meta = match metadata(entry.path()) {
            Ok(meta) => meta,
            Err(e) if is_absent(&e) && is_link => {
                log::warn!("left out, because the link leads nowhere: {}", entry.path().display());
                self.has_dangling = true;
                return Ok(());
            }
            // The entry was removed in the meantime.
            Err(e) if is_absent(&e) => return Ok(()),
            Err(e) => return Err(cannot(e)),
        };
        let name = entry.file_name().into_string().map_err(|name| {
            Error::config("the file name is not UTF-8")
                .at("file", FilePath::new(&name).display())
                .help("rename it")
        })?;
        if meta.is_dir() {
            self.folders.push(name);
        } else if meta.is_file() {
            self.files.push((name, stat(&meta)?));
        }
        Ok(())
    }
}

fn read_prefix(store: &Store, prefix: &Path) -> Result<Content> {
    let listed = store.wait(store.objects().list_with_delimiter(Some(prefix)))?;
    let file = |meta: ObjectMeta| Some((meta.location.filename()?.to_owned(), object_stat(&meta)));
    // Some programs mark a folder by an empty object with the folder's own name.
    let is_inside = |meta: &ObjectMeta| meta.location != *prefix;
    let folder = |path: Path| Some(path.filename()?.to_owned());
    let mut content = Content {
        files: listed.objects.into_iter().filter(is_inside).filter_map(file).collect(),
        folders: listed.common_prefixes.into_iter().filter_map(folder).collect(),
        has_dangling: false,
    };
    content.files.sort_unstable();
    content.folders.sort_unstable();
    Ok(content)
}

fn stat(meta: &Metadata) -> Result<Stat> {
    let modified = meta.modified().map_err(|e| Error::io("cannot tell when the file was modified", e))?;
    Ok(Stat { size: meta.len(), modified, version: Version::of_file(meta) })
}

fn object_stat(meta: &ObjectMeta) -> Stat {
    let version = Version::of_object(meta);
    Stat { size: meta.size, modified: meta.last_modified.into(), version }
}

fn is_absent(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}
