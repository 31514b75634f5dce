//! Locks on files that end with the process that holds them, however it ends.
//!
//! So what lies beside a lock that is free belongs to nobody, whatever process ids are in use again.
//! What that is, temporary files or a staged output, is not known here.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

/// How often a file with a lock, or the folder around it, is tried to be made.
const MAX_MAKES: u32 = 10;

/// A new file with a lock on it, held until it is dropped.
///
/// # Errors
/// Of the kind `NotFound`, too, when another process took it for abandoned before it was locked.
pub fn hold_new(path: &Path) -> io::Result<File> {
    let file = File::create_new(path)?;
    let is_there = is_free(&file) && file.metadata()?.nlink() > 0;
    if is_there { Ok(file) } else { Err(io::ErrorKind::NotFound.into()) }
}

/// The lock at `path`, held now, if it is a file of this user's that no process held.
pub fn take_abandoned(path: &Path) -> Option<File> {
    // What someone else has put here is not ours to act on, whatever it is called.
    let me = rustix::process::geteuid().as_raw();
    fs::symlink_metadata(path).ok().filter(|meta| meta.is_file() && meta.uid() == me)?;
    File::open(path).ok().filter(is_free)
}

/// Makes what is locked again when another process has just taken it for abandoned, or has removed a
/// folder around it because it was empty.
pub fn again<T>(mut make: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let mut makes = 1;
    loop {
        match make() {
            Err(e) if e.kind() == io::ErrorKind::NotFound && makes < MAX_MAKES => makes += 1,
            outcome => return outcome,
        }
    }
}

/// Takes the lock, if nobody has it.
fn is_free(file: &File) -> bool {
    flock(file, FlockOperation::NonBlockingLockExclusive).is_ok()
}
