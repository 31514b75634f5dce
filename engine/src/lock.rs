//! File locks that are released when the process that holds them ends, however it ends.
//!
//! So the files next to a free lock are abandoned, even if the id of the process that created them has been
//! reused. Whether they are temporary files or a staged output does not matter here.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

/// How often the creation of a locked file, or of the folder around it, is attempted.
const MAX_MAKES: u32 = 10;

/// Creates a file and locks it until it is dropped.
///
/// # Errors
/// Also of the kind `NotFound`, when another process took the file for abandoned before it was locked.
pub fn hold_new(path: &Path) -> io::Result<File> {
    let file = File::create_new(path)?;
    let is_there = is_free(&file) && file.metadata()?.nlink() > 0;
    if is_there { Ok(file) } else { Err(io::ErrorKind::NotFound.into()) }
}

/// Takes the lock at `path`, if it is a file of this user that no process has locked.
pub fn take_abandoned(path: &Path) -> Option<File> {
    // A file of another user is not Kiln's to remove, whatever its name.
    let me = rustix::process::geteuid().as_raw();
    fs::symlink_metadata(path).ok().filter(|meta| meta.is_file() && meta.uid() == me)?;
    File::open(path).ok().filter(is_free)
}

/// Repeats `make` when another process has just taken the new file for abandoned, or has removed the folder
/// around it because it was empty.
pub fn again<T>(mut make: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let mut makes = 1;
    loop {
        match make() {
            Err(e) if e.kind() == io::ErrorKind::NotFound && makes < MAX_MAKES => makes += 1,
            outcome => return outcome,
        }
    }
}

/// Takes the lock, if no process holds it.
fn is_free(file: &File) -> bool {
    flock(file, FlockOperation::NonBlockingLockExclusive).is_ok()
}
