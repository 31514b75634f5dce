//! Where the records of an output are: `_kiln/runs/<name of the output>/` beside it, on disk or in a store.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::SystemTime;

use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use crate::error::{Error, Result};
use crate::lock;
use crate::publish::BOOKS;
use crate::publish::objects::keys;
use crate::source::{Location, Store};

/// Records that are read from a store at once.
const READS: usize = 16;

/// The folder or prefix of an output's records.
#[derive(Clone)]
pub enum RecordFolder {
    /// On disk.
    Disk(PathBuf),
    /// In a store.
    Objects(Store, Path),
}

impl RecordFolder {
    /// The folder for the output at `output`.
    ///
    /// # Errors
    /// Config when its name cannot be part of a key.
    pub fn of(output: &Location) -> Result<RecordFolder> {
        if let Some(target) = output.local_path() {
            // The publish follows a link to a folder, too.
            let target = fs::canonicalize(&target).unwrap_or(target);
            let (parent, name) = (target.parent().unwrap_or(&target), target.file_name().unwrap_or_default());
            return Ok(RecordFolder::Disk(parent.join(BOOKS).join("runs").join(name)));
        }
        let name = output.path.filename().unwrap_or_default();
        let prefix = keys::below(&keys::beside(&output.path, BOOKS)?, &format!("runs/{name}"))?;
        Ok(RecordFolder::Objects(output.store.clone(), prefix))
    }

    /// Writes a record under a name that must be free; returns whether it was.
    ///
    /// # Errors
    /// By the failing operation.
    pub fn create(&self, name: &str, text: &str) -> Result<bool> {
        match self {
            RecordFolder::Disk(folder) => {
                let created = lock::again(|| {
                    fs::create_dir_all(folder)?;
                    create_file(folder, name, text)
                });
                created.map_err(|e| Error::io("cannot write the record", e).at("folder", folder.display()))
            }
            RecordFolder::Objects(store, prefix) => {
                let (key, options) = (keys::below(prefix, name)?, PutOptions::from(PutMode::Create));
                match store.wait(store.objects().put_opts(&key, text.to_owned().into(), options)) {
                    Ok(_) => Ok(true),
                    Err(object_store::Error::AlreadyExists { .. }) => {
                        // A request that was sent again may have found its own first try.
                        let there = keys::get(store, &key)?;
                        Ok(there.is_some_and(|(there, _)| there == text.as_bytes()))
                    }
                    Err(e) => Err(Error::from(e).at("object", store.address(&key))),
                }
            }
        }
    }

    /// The names of all records with the time of writing by the clock of the disk or store, the newest first.
    ///
    /// # Errors
    /// By the failing operation.
    pub fn names(&self) -> Result<Vec<String>> {
        let mut found = match self {
            RecordFolder::Disk(folder) => files(folder)
                .map_err(|e| Error::io("cannot read the records", e).at("folder", folder.display()))?,
            RecordFolder::Objects(store, prefix) => {
                let name = |path: &Path| path.filename().unwrap_or_default().to_owned();
                let objects = keys::list(store, prefix)?.into_iter();
                objects
                    .map(|object| (SystemTime::from(object.last_modified), name(&object.location)))
                    .collect()
            }
        };
        found.retain(|(_, name)| name.ends_with(".json"));
        found.sort_by(|one, other| other.cmp(one));
        Ok(found.into_iter().map(|(_, name)| name).collect())
    }

    /// The texts of records; those that are gone are left out.
    ///
    /// # Errors
    /// By the failing operation.
    pub fn read(&self, names: &[String]) -> Result<Vec<Vec<u8>>> {
        match self {
            RecordFolder::Disk(folder) => {
                Ok(names.iter().filter_map(|name| fs::read(folder.join(name)).ok()).collect())
            }
            RecordFolder::Objects(store, prefix) => {
                let keys = names.iter().map(|name| keys::below(prefix, name)).collect::<Result<Vec<_>>>()?;
                let reads = keys.into_iter().map(|key| async move {
                    match store.objects().get(&key).await {
                        Ok(got) => Ok(Some(got.bytes().await?.to_vec())),
                        Err(object_store::Error::NotFound { .. }) => Ok(None),
                        Err(e) => Err(e),
                    }
                });
                let texts = stream::iter(reads).buffered(READS).try_collect::<Vec<_>>();
                Ok(store.wait(texts)?.into_iter().flatten().collect())
            }
        }
    }

    /// Removes records.
    ///
    /// # Errors
    /// By the failing operation.
    pub fn remove(&self, names: &[String]) -> Result<()> {
        match self {
            RecordFolder::Disk(folder) => {
                names.iter().for_each(|name| drop(fs::remove_file(folder.join(name))));
                Ok(())
            }
            RecordFolder::Objects(store, prefix) => {
                let keys = names.iter().map(|name| keys::below(prefix, name));
                keys::remove(store, keys.collect::<Result<_>>()?)
            }
        }
    }

    /// How many records there are on disk, without a look at each of them.
    pub fn count_on_disk(&self) -> usize {
        match self {
            RecordFolder::Disk(folder) => folder.read_dir().map_or(0, |entries| entries.count()),
            RecordFolder::Objects(..) => 0,
        }
    }
}

fn files(folder: &std::path::Path) -> io::Result<Vec<(SystemTime, String)>> {
    let entries = match folder.read_dir() {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let file = |entry: fs::DirEntry| {
        Some((entry.metadata().ok()?.modified().ok()?, entry.file_name().into_string().ok()?))
    };
    Ok(entries.flatten().filter_map(file).collect())
}

/// Makes a whole file under a name that must be free.
fn create_file(folder: &std::path::Path, name: &str, text: &str) -> io::Result<bool> {
    let (temporary, path) = (folder.join(format!(".{}", uuid::Uuid::new_v4())), folder.join(name));
    fs::write(&temporary, text)?;
    let renamed = match renameat_with(CWD, &temporary, CWD, &path, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS) if !path.exists() => fs::rename(&temporary, &path).map(|()| true),
        Err(Errno::INVAL | Errno::NOSYS | Errno::EXIST) => Ok(false),
        other => other.map(|()| true).map_err(io::Error::from),
    };
    if !matches!(renamed, Ok(true)) {
        let _ = fs::remove_file(&temporary);
    }
    renamed
}
