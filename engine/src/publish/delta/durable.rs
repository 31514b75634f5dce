//! Makes the files of a table on disk durable before the log names them: else a power failure could leave a version
//! with empty files.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

use super::log::Log;
use crate::error::{Error, Result};
use crate::publish::OutputFile;

/// Files that are waited for at once: what a disk can take in any order.
const AT_ONCE: usize = 16;

/// Waits until `parts` are on disk, with the folders that lead to them.
///
/// # Errors
/// By the failing operation; bug for a file that is not as long as its task has reported.
pub fn sync_files<'p>(log: &Log, parts: impl IntoIterator<Item = &'p OutputFile>) -> Result<()> {
    let root = PathBuf::from(log.store.address(&log.root));
    let parts: Vec<&OutputFile> = parts.into_iter().collect();
    let mut folders = BTreeSet::new();
    for part in &parts {
        let path = root.join(&part.name);
        folders
            .extend(path.ancestors().skip(1).take_while(|at| at.starts_with(&root)).map(Path::to_path_buf));
    }
    let threads = rayon::ThreadPoolBuilder::new().num_threads(parts.len().clamp(1, AT_ONCE)).build();
    let threads = threads.map_err(|e| Error::resource("no threads can be started to commit").because(e))?;
    threads
        .install(|| parts.par_iter().try_for_each(|part| sync_file(&root.join(&part.name), part.bytes)))?;
    let above = root.parent().filter(|_| !parts.is_empty()).map(Path::to_path_buf);
    folders.iter().chain(above.iter()).try_for_each(|folder| sync(folder).map(|_| ()))
}

fn sync_file(path: &Path, written: u64) -> Result<()> {
    let bytes = sync(path)?;
    if bytes == written {
        return Ok(());
    }
    let error = Error::bug("a file of the output is not as long as its task has written it");
    Err(error.at("file", path.display()).at("bytes", bytes).at("written", written))
}

/// Makes a file or a folder durable; gives its length.
fn sync(path: &Path) -> Result<u64> {
    let synced = File::open(path).and_then(|file| {
        file.sync_all()?;
        Ok(file.metadata()?.len())
    });
    synced.map_err(|e| Error::io("cannot sync the output", e).at("path", path.display()))
}
