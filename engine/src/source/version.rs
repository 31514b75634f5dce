//! The version of a listed file, so that a task does not read a different one.
//!
//! Inputs are a snapshot: a listing records the version of each file, the version is sent with the splits,
//! and a read of another version fails with the reason `input_changed`. Half of an old file and half of a new
//! one is never a result.
//!
//! Objects are identified by their ETag, which is the condition of every request and part of every response.
//! A listing without ETags has only the size and the time; then the ETag of the first response pins the later
//! ones. Local files are identified by inode, size and modification time. A local file that has grown is
//! taken for one that is appended to, like a log, and is read up to its listed size. So these changes of a
//! local file are not detected: a file that is overwritten in place and ends up longer, one whose writer
//! resets the time, one that changes within the clock tick of the listed time (a few ms), and one that
//! changes through a memory map that is not synced yet.

use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt;

use object_store::ObjectMeta;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The reason in errors about a file that has changed since it was listed.
const CHANGED: &str = "input_changed";

/// Distinguishes a file from another one at the same address.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Version {
    /// Nothing is known, and nothing is checked.
    #[default]
    Unknown,
    /// A file of this machine; without the device number, which differs between machines.
    File {
        /// Its inode number.
        inode: u64,
        /// Seconds and nanoseconds of its last modification.
        modified: (i64, i64),
    },
    /// An object of a store.
    Object {
        /// Its ETag in the listing.
        tag: Option<String>,
        /// Its id in a versioned bucket. Requests do not use the id, which would need another permission.
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

    /// The ETag, if there is one.
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

    /// Refuses a store's response about an object that is not the listed one of `size` bytes.
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

/// A tag without quotes: some stores list it without them, but use them in responses.
fn plain_tag(tag: &str) -> &str {
    tag.trim_start_matches("W/").trim_matches('"')
}

/// The error about a file that has been replaced.
pub(super) fn changed(what: &str) -> Error {
    let error = Error::data(format!("the input {what} was replaced while it was read")).reason(CHANGED);
    error.help("run the job again when nothing writes to its input; write new data under new names")
}

/// The error about a file that is shorter than its listed `size`.
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
