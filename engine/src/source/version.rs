//! Which version of a file was listed, so that a task does not read another one.
//!
//! Inputs are a snapshot: a listing notes the version of each file, the version travels with the splits, and a read
//! that meets another one fails with the reason `input_changed`. Half of an old file and half of a new one is never
//! a result.
//!
//! Objects are told apart by their ETag, which every request names as its condition and every answer repeats. A
//! listing without ETags leaves the size and the time; then the ETag of the first answer pins the later ones. Local
//! files are told apart by inode, size and time of modification. A local file that became longer is taken for one
//! that is appended to, as logs are, and is read up to its listed size. So these changes of a local file are not
//! seen: one written in place that ends longer than it was, one whose writer sets the time back, one within the
//! clock tick of the listed time (some ms), and one by a memory map that is not synced yet.

use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt;

use object_store::ObjectMeta;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The reason of errors about a file that is not the one that was listed.
const CHANGED: &str = "input_changed";

/// What tells a file from another one at the same address.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Version {
    /// Nothing is known, and nothing is checked.
    #[default]
    Unknown,
    /// A file of this machine; the device is left out, because machines number it differently.
    File {
        /// Its number in its file system.
        inode: u64,
        /// Seconds and nanoseconds of its last modification.
        modified: (i64, i64),
    },
    /// An object of a store.
    Object {
        /// Its ETag as the listing has it.
        tag: Option<String>,
        /// The id that a bucket with versions gives it. It is not asked for by id: that needs another permission.
        id: Option<String>,
        /// Seconds of its last modification.
        modified: i64,
    },
}

impl Version {
    /// The version of a local file.
    pub(super) fn of_file(meta: &Metadata) -> Version {
        Version::File { inode: meta.ino(), modified: (meta.mtime(), meta.mtime_nsec()) }
    }

    /// The version of an object.
    pub(super) fn of_object(meta: &ObjectMeta) -> Version {
        Version::Object {
            tag: meta.e_tag.clone(),
            id: meta.version.clone(),
            modified: meta.last_modified.timestamp(),
        }
    }

    /// The ETag, where there is one.
    pub(super) fn tag(&self) -> Option<&str> {
        match self {
            Version::Object { tag, .. } => tag.as_deref(),
            Version::Unknown | Version::File { .. } => None,
        }
    }

    /// Refuses an open local file that is not the listed one of `size` bytes.
    pub(super) fn check_file(&self, file: &File, size: u64) -> Result<()> {
        let Version::File { inode, modified } = self else { return Ok(()) };
        let meta = file.metadata().map_err(|e| Error::io("cannot look at the file", e))?;
        if meta.len() < size {
            return Err(shrunk(size));
        }
        let is_same = meta.len() > size || (meta.mtime(), meta.mtime_nsec()) == *modified;
        if meta.ino() == *inode && is_same { Ok(()) } else { Err(changed("file")) }
    }

    /// Refuses the answer of a store about another object than the listed one of `size` bytes.
    pub(super) fn check_object(&self, size: u64, found: &ObjectMeta) -> Result<()> {
        let Version::Object { tag, modified, .. } = self else { return Ok(()) };
        let is_same = match (tag, &found.e_tag) {
            (Some(listed), Some(found)) => plain_tag(listed) == plain_tag(found),
            _ => *modified == found.last_modified.timestamp(),
        };
        if is_same && found.size == size { Ok(()) } else { Err(changed("object")) }
    }
}

/// Whether both tags are the same.
pub(super) fn are_same(one: &str, other: &str) -> bool {
    plain_tag(one) == plain_tag(other)
}

/// A tag without its quotes: some stores list it without, and answer a request with them.
fn plain_tag(tag: &str) -> &str {
    tag.trim_start_matches("W/").trim_matches('"')
}

/// The error about a file that is another one now.
pub(super) fn changed(what: &str) -> Error {
    let error = Error::data(format!("the input {what} was replaced while it was read")).reason(CHANGED);
    error.help("run the job again when nothing writes to its input; write new data under new names")
}

/// The error about a file that has fewer than its listed `size` bytes.
pub(super) fn shrunk(size: u64) -> Error {
    let message = format!("the file ends early: it had {size} bytes when the job was planned");
    Error::data(message).reason(CHANGED).help("run the job again when nothing writes to its input")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_replaced_rewritten_or_cut_is_refused_and_one_that_grew_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let listed = |text: &str| {
            std::fs::write(&path, text).unwrap();
            let file = File::options().read(true).write(true).open(&path).unwrap();
            file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
            (Version::of_file(&file.metadata().unwrap()), file)
        };
        let (version, file) = listed("abc");
        version.check_file(&file, 3).unwrap();
        std::fs::write(&path, "abcd").unwrap();
        version.check_file(&file, 3).unwrap();
        for text in ["xyz", "ab", ""] {
            std::fs::write(&path, text).unwrap();
            let error = version.check_file(&file, 3).unwrap_err();
            assert_eq!((error.class(), error.reason_word()), (crate::Class::Data, CHANGED), "{text}");
        }
        let (version, _file) = listed("abc");
        std::fs::write(folder.path().join("b"), "abcdef").unwrap();
        std::fs::rename(folder.path().join("b"), &path).unwrap();
        version.check_file(&File::open(&path).unwrap(), 3).unwrap_err();
    }
}
