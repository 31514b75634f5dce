//! Makes the files of the tasks durable, all of them before the first has its name.
//!
//! Tasks close their files without waiting for the disk, which has begun to write by then (`place`); by
//! the end most of it is done, and what is left many files wait for together. A file that is not as long
//! as its task reported was lost on the way, by another process or a network file system: the commit
//! ends before anything is published.

use std::fs::File;
use std::path::Path;

use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

use super::cannot;
use crate::error::{Error, Result};
use crate::publish::OutputFile;

/// Files that are waited for at once: what a disk can take in any order.
const AT_ONCE: usize = 16;

/// Waits until the staged files in `folder` are on disk.
///
/// # Errors
/// By the failing operation; bug for a file whose length is not what its task reported.
pub fn sync_files(folder: &Path, files: &[OutputFile]) -> Result<()> {
    let threads = rayon::ThreadPoolBuilder::new().num_threads(files.len().clamp(1, AT_ONCE)).build();
    let threads = threads.map_err(|e| Error::resource("no threads can be started to commit").because(e))?;
    threads.install(|| files.par_iter().try_for_each(|file| sync_one(folder, file)))
}

fn sync_one(folder: &Path, written: &OutputFile) -> Result<()> {
    let path = folder.join(&written.staged);
    let file = File::open(&path).map_err(|e| cannot("open the staged file", &path, e))?;
    file.sync_all().map_err(|e| cannot("sync the staged file", &path, e))?;
    let bytes = file.metadata().map_err(|e| cannot("look at the staged file", &path, e))?.len();
    if bytes == written.bytes {
        return Ok(());
    }
    let error = Error::bug("a staged file is not as long as its task has written it");
    Err(error.at("file", path.display()).at("bytes", bytes).at("written", written.bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn staged(folder: &Path, count: usize) -> Vec<OutputFile> {
        let part = |at: usize| {
            let (staged, name) = (format!("part-{at}-attempt-0-file-1"), format!("part-{at}.csv"));
            std::fs::write(folder.join(&staged), "x".repeat(at)).unwrap();
            OutputFile { staged, name, rows: 1, bytes: at as u64 }
        };
        (0..count).map(part).collect()
    }

    #[test]
    fn files_that_are_whole_pass_and_there_may_be_many_or_none() {
        let folder = tempfile::tempdir().unwrap();
        for count in [0, 1, 3 * AT_ONCE] {
            sync_files(folder.path(), &staged(folder.path(), count)).unwrap();
        }
    }

    #[test]
    fn a_file_that_lost_its_end_or_is_gone_ends_the_commit_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let parts = staged(folder.path(), 40);
        std::fs::write(folder.path().join(&parts[7].staged), "short").unwrap();
        let error = sync_files(folder.path(), &parts).unwrap_err();
        assert!(error.to_string().contains("part-7-attempt-0-file-1"), "{error}");
        std::fs::remove_file(folder.path().join(&parts[7].staged)).unwrap();
        let error = sync_files(folder.path(), &parts).unwrap_err();
        assert!(error.to_string().contains("cannot open the staged file"), "{error}");
    }
}
