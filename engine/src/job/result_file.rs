//! A result file: replaced atomically, and never by an older attempt of the same run.
//!
//! The lock is on the folder, so that no lock file is left beside the result file. An attempt holds it
//! while it reads one file and renames another.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};

use crate::error::{Error, Result};

use super::formats::Format;
use super::identity::Identity;

/// How long to wait for the lock before the file is replaced without it.
const LOCK_LIMIT: Duration = Duration::from_millis(100);

/// A file for the result of a run.
pub(super) struct ResultFile<'a> {
    pub(super) path: PathBuf,
    pub(super) format: Format,
    pub(super) identity: &'a Identity,
    /// Whether this attempt was fenced, which means that a newer one exists, whatever the attempt
    /// numbers are.
    pub(super) is_fenced: bool,
}

/// Result of replacing a result file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Written {
    Done,
    /// The file holds the result of a newer attempt.
    Kept(PathBuf),
}

impl ResultFile<'_> {
    /// Replaces the file with `text`, unless it holds the result of a newer attempt.
    pub(super) fn replace(&self, text: &str) -> Result<Written> {
        let _lock = lock(&self.path);
        if self.holds_newer() {
            return Ok(Written::Kept(self.path.clone()));
        }
        ResultFile::write_any(&self.path, text)
    }

    /// Writes `text` to a temporary file and renames it to `path`, so that readers never see a part of
    /// it.
    pub(super) fn write_any(path: &Path, text: &str) -> Result<Written> {
        let failed = |e| Error::io("the result file cannot be written", e).at("file", path.display());
        let in_place = || fs::write(path, text).map(|()| Written::Done).map_err(failed);
        // Pipes and devices cannot be replaced, only written.
        if path.metadata().is_ok_and(|known| !known.is_file()) {
            return in_place();
        }
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.tmp", std::process::id()));
        let temporary = path.with_file_name(name);
        // If the file is a mount itself, its folder may be read-only, and the file cannot be replaced
        // by a rename.
        let renamed = fs::write(&temporary, text).and_then(|()| fs::rename(&temporary, path));
        renamed.map(|()| Written::Done).or_else(|_| {
            let _ = fs::remove_file(&temporary);
            in_place()
        })
    }

    fn holds_newer(&self) -> bool {
        // Reads only regular files, because reading a pipe would wait for a writer.
        let is_file = self.path.metadata().is_ok_and(|known| known.is_file());
        let Some(text) = is_file.then(|| fs::read_to_string(&self.path).ok()).flatten() else { return false };
        if !self.identity.is_given || !self.format.names_run(&text, &self.identity.run_id) {
            return false;
        }
        let numbers = self.format.attempt(&text).zip(self.identity.attempt);
        self.is_fenced || numbers.is_some_and(|(theirs, ours)| theirs > u64::from(ours))
    }
}

/// Locks the folder of `path`. `None` if the file system does not support locks or it takes too long.
fn lock(path: &Path) -> Option<File> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = File::open(folder.unwrap_or(Path::new("."))).ok()?;
    let end = Instant::now() + LOCK_LIMIT;
    while let Err(error) = flock(&folder, FlockOperation::NonBlockingLockExclusive) {
        if error != rustix::io::Errno::WOULDBLOCK || Instant::now() > end {
            return None;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Some(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(attempt: Option<u32>) -> Identity {
        Identity { run_id: "nightly".to_owned(), attempt, is_given: true }
    }

    fn text(format: Format, run: &str, attempt: u32) -> String {
        format.text(&format!(r#"{{"run_id":"{run}","attempt":{attempt}}}"#))
    }

    #[test]
    fn an_older_attempt_of_the_run_never_replaces_a_newer_one() {
        for format in [Format::Json, Format::Properties, Format::Env] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("result");
            let write = |run: &str, attempt: u32, is_fenced: bool| {
                let identity = Identity { run_id: run.to_owned(), ..identity(Some(attempt)) };
                let file = ResultFile { path: path.clone(), format, identity: &identity, is_fenced };
                file.replace(&text(format, run, attempt)).unwrap()
            };
            assert_eq!(write("nightly", 2, false), Written::Done);
            assert_eq!(write("nightly", 1, false), Written::Kept(path.clone()));
            assert_eq!(write("nightly", 2, true), Written::Kept(path.clone()));
            assert_eq!(fs::read_to_string(&path).unwrap(), text(format, "nightly", 2));
            assert_eq!(write("nightly", 3, false), Written::Done);
            assert_eq!(write("weekly", 1, true), Written::Done);
            assert_eq!(folder.path().read_dir().unwrap().count(), 1);
        }
    }

    #[test]
    fn the_result_file_replaces_whatever_else_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("result.json");
        for old in ["", "old", "{\"run_id\":7}"] {
            fs::write(&path, old).unwrap();
            let file = ResultFile {
                path: path.clone(),
                format: Format::Json,
                identity: &identity(None),
                is_fenced: true,
            };
            assert_eq!(file.replace("{}\n").unwrap(), Written::Done);
            assert_eq!(fs::read_to_string(&path).unwrap(), "{}\n");
        }
    }

    #[test]
    fn a_result_file_in_no_folder_is_an_error_that_names_it() {
        let error = ResultFile::write_any(Path::new("/no/such/folder/r.json"), "{}").unwrap_err().to_string();
        assert!(error.starts_with("the result file cannot be written, at file /no/such/folder/r.json"));
    }
}
