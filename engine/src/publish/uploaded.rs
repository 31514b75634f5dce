//! The files that a publish has put at their final names before its commit, and their removal when it is given up.

use std::sync::{Arc, Mutex, PoisonError};

use object_store::path::Path;

use super::head::Claim;
use super::objects::{remove_tagged, tag_of};
use crate::job::{CleanupGuard, Run};
use crate::source::Store;

/// The files of one publish, found by its tag. They are removed when the process is told to end, and by
/// [`UploadedFiles::give_up`], unless the commit has begun.
pub struct UploadedFiles {
    store: Store,
    target: Path,
    tag: String,
    /// Whether the files may be removed: from the commit on only who knows its outcome may.
    removable: Arc<Mutex<bool>>,
    _cleanup: CleanupGuard,
}

impl UploadedFiles {
    /// The files that the publish of `claim` is about to put below `target`.
    pub fn of(store: &Store, target: &Path, claim: &Claim, run: &Run) -> UploadedFiles {
        let (removable, tag) = (Arc::new(Mutex::new(true)), tag_of(claim));
        let (gate, at, below, doomed) = (Arc::clone(&removable), store.clone(), target.clone(), tag.clone());
        let cleanup = run.cleanup.register(Box::new(move || {
            if gate.try_lock().is_ok_and(|removable| *removable) {
                remove_tagged(&at, &below, &doomed, &[]);
            }
        }));
        UploadedFiles { store: store.clone(), target: target.clone(), tag, removable, _cleanup: cleanup }
    }

    /// The tag in the names of the files.
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// Allows or forbids to remove the files.
    pub fn set_removable(&self, is_removable: bool) {
        *self.removable.lock().unwrap_or_else(PoisonError::into_inner) = is_removable;
    }

    /// Removes all files of a publish that has come to nothing; returns whether none is left, and `None` where the
    /// commit forbids it.
    pub fn give_up(&self) -> Option<bool> {
        let is_removable = *self.removable.lock().unwrap_or_else(PoisonError::into_inner);
        is_removable.then(|| remove_tagged(&self.store, &self.target, &self.tag, &[]))
    }

    /// Removes the files that attempts of lost tasks have left: all but the published ones, `named`.
    pub fn remove_others(&self, named: &[String]) {
        remove_tagged(&self.store, &self.target, &self.tag, named);
    }
}
