//! The commit on a local file system.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::error::{Error, Result};
use crate::job::{CleanupGuard, Output, Run};

/// The folder, beside a target, in which outputs are staged.
const STAGE: &str = ".kiln-stage";
/// How often a folder is tried to be made.
const MAX_MAKES: u32 = 5;

/// One file that a task has written.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Part {
    /// Its name in the staging folder, with the attempt in it.
    pub staged: String,
    /// Its name in the output.
    pub name: String,
    /// Rows.
    pub rows: u64,
    /// Bytes.
    pub bytes: u64,
}

/// An output that is being made. Dropped before [`commit`](Publication::commit), it leaves nothing.
pub struct Publication {
    target: PathBuf,
    staging: PathBuf,
    /// The outermost folder that had to be made for the target.
    made: Option<PathBuf>,
    /// Held while the output is renamed into place, and while the staging folder is removed because
    /// the process is told to end: set once it is gone.
    gone: Arc<Mutex<bool>>,
    /// Removes the staging folder when the process is told to end.
    _cleanup: CleanupGuard,
}

impl Publication {
    /// Prepares to publish at `uri`, a path or a `file://` URL. Nothing may be there.
    ///
    /// # Errors
    /// Config when something is there or the address cannot be written to, auth without permission.
    pub fn begin(uri: &str, run: &Run) -> Result<Publication> {
        let target = local_path(uri)?;
        if fs::symlink_metadata(&target).is_ok() {
            return Err(exists(&target));
        }
        let (Some(parent), Some(name)) = (target.parent(), target.file_name()) else {
            return Err(Error::config("an output cannot be the root folder").at("output", uri));
        };
        let made = first_missing(parent);
        let id = format!("{}-{}", name.to_string_lossy(), uuid::Uuid::new_v4());
        let staging = parent.join(STAGE).join(id);
        make_folder(&staging.join("parts")).map_err(|e| cannot("stage the output in", parent, e))?;
        let gone = Arc::new(Mutex::new(false));
        let (doomed, outer, gate) = (staging.clone(), made.clone(), Arc::clone(&gone));
        let cleanup = run.cleanup.register(Box::new(move || {
            *lock(&gate) = true;
            remove(&doomed, outer.as_deref());
        }));
        Ok(Publication { target, staging, made, gone, _cleanup: cleanup })
    }

    /// Where tasks write their files.
    pub fn parts(&self) -> PathBuf {
        self.staging.join("parts")
    }

    /// Publishes the files in `parts`, and no others, in one step.
    ///
    /// # Errors
    /// Config when something has appeared at the target meanwhile; else by the failing operation.
    pub fn commit(self, partitions: u64, parts: &[Part]) -> Result<Output> {
        let ready = self.staging.join("ready");
        fs::create_dir(&ready).map_err(|e| cannot("make the folder", &ready, e))?;
        for part in parts {
            let from = self.parts().join(&part.staged);
            fs::rename(&from, ready.join(&part.name)).map_err(|e| cannot("take the file", &from, e))?;
        }
        sync(&ready)?;
        self.rename(&ready)?;
        // From here on the output is there; a parent that cannot be synced is only worth a warning.
        if let Err(error) = self.target.parent().map_or(Ok(()), sync) {
            log::warn!("{error}");
        }
        Ok(Output {
            uri: address(&self.target),
            partitions,
            files: parts.len() as u64,
            rows: parts.iter().map(|p| p.rows).sum(),
            bytes: parts.iter().map(|p| p.bytes).sum(),
        })
    }
}

impl Publication {
    /// The commit itself; not once the staging folder is being removed.
    fn rename(&self, ready: &Path) -> Result<()> {
        let gone = lock(&self.gone);
        if *gone {
            return Err(Error::job_stopped());
        }
        rename_to_new(ready, &self.target)
    }
}

fn lock(gone: &Mutex<bool>) -> MutexGuard<'_, bool> {
    gone.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Publication {
    fn drop(&mut self) {
        remove(&self.staging, self.made.as_deref());
    }
}

/// Makes a folder and those around it, again when another job that ends has just removed one of them
/// because it was empty.
fn make_folder(folder: &Path) -> io::Result<()> {
    let mut makes = 1;
    loop {
        match fs::create_dir_all(folder) {
            Err(e) if e.kind() == io::ErrorKind::NotFound && makes < MAX_MAKES => makes += 1,
            outcome => return outcome,
        }
    }
}

/// Removes a staging folder, and the folders around it that were made for it and are empty.
fn remove(staging: &Path, made: Option<&Path>) {
    if let Err(error) = fs::remove_dir_all(staging)
        && error.kind() != io::ErrorKind::NotFound
    {
        log::warn!("the staging folder {} cannot be removed: {error}", staging.display());
    }
    // `remove_dir` takes empty folders only: another job's staging or a published output stays.
    let mut next = staging.parent();
    while let Some(folder) = next {
        let ours = folder.ends_with(STAGE) || made.is_some_and(|made| folder.starts_with(made));
        if !ours || fs::remove_dir(folder).is_err() {
            break;
        }
        next = folder.parent();
    }
}

/// Renames a folder to a name that must be free.
fn rename_to_new(from: &Path, to: &Path) -> Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::EXIST) => Err(exists(to)),
        // Some file systems cannot promise it; a plain rename still refuses a folder with files.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
            fs::rename(from, to).map_err(|e| cannot("publish", to, e))
        }
        Err(e) => Err(cannot("publish", to, e.into())),
    }
}

fn sync(folder: &Path) -> Result<()> {
    File::open(folder).and_then(|f| f.sync_all()).map_err(|e| cannot("sync the folder", folder, e))
}

fn exists(target: &Path) -> Error {
    Error::config("the output exists")
        .at("output", target.display())
        .help("choose another place, or remove it if it is not needed")
}

fn cannot(what: &str, path: &Path, error: io::Error) -> Error {
    Error::io(format!("cannot {what}"), error).at("path", path.display())
}

fn address(path: &Path) -> String {
    Url::from_file_path(path).map_or_else(|()| path.display().to_string(), String::from)
}

/// The outermost of `folder` and its parents that is not there.
fn first_missing(folder: &Path) -> Option<PathBuf> {
    folder.ancestors().take_while(|f| !f.as_os_str().is_empty() && !f.exists()).last().map(Path::to_path_buf)
}

fn local_path(uri: &str) -> Result<PathBuf> {
    let path = match Url::parse(uri) {
        Ok(url) if url.scheme() == "file" => {
            url.to_file_path().map_err(|()| Error::config("this URL is no path").at("output", uri))?
        }
        Ok(url) if uri.contains("://") => {
            let text = format!("outputs at `{}://` cannot be published yet", url.scheme());
            return Err(Error::config(text).at("output", uri).help("give a path or a file:// URL"));
        }
        _ => PathBuf::from(uri),
    };
    if uri.is_empty() {
        return Err(Error::config("the output has no name").help("give a path or a file:// URL"));
    }
    std::path::absolute(&path).map_err(|e| cannot("find the folder of", &path, e))
}
