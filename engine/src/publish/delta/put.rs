//! One object of the log: created if it is not there, or read.
//!
//! An object store creates it by a conditional PUT. On disk it is written to a temporary file and linked to its name:
//! a link fails where the name is taken, and a reader never sees half of a file. `LocalFileSystem` of `object_store`
//! links, too, but never syncs, so that a commit could be lost, or be empty, after a power failure.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path as FilePath, PathBuf};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};

use crate::error::{Class, Error, Result};
use crate::failpoint;
use crate::source::Store;

/// How a request to create an object has ended.
#[derive(Debug)]
pub enum Created {
    /// It is there now, and was not before.
    Yes,
    /// The request was not carried out, and will not be.
    Refused(Error),
    /// Someone else may have created it, or this request, now or later.
    Unclear(Error),
}

/// An object that was read.
pub struct Read {
    pub bytes: Bytes,
    pub modified: DateTime<Utc>,
}

/// Creates the object `key`.
pub fn create(store: &Store, key: &Path, bytes: Bytes) -> Created {
    if store.is_local() {
        return create_file(FilePath::new(&store.address(key)), &bytes);
    }
    let put = store.objects().put_opts(key, bytes.into(), PutOptions::from(PutMode::Create));
    match store.wait(put) {
        Ok(_) => Created::Yes,
        Err(e @ object_store::Error::AlreadyExists { .. }) => Created::Unclear(e.into()),
        Err(error) => {
            let is_refusal = matches!(error, object_store::Error::NotImplemented { .. });
            let error = Error::from(error);
            match error.class() {
                Class::Auth | Class::Config => Created::Refused(error),
                _ if is_refusal => Created::Refused(error),
                _ => Created::Unclear(error),
            }
        }
    }
}

/// Reads the object `key`, if it is there.
pub fn read(store: &Store, key: &Path) -> Result<Option<Read>> {
    if store.is_local() {
        return read_file(FilePath::new(&store.address(key)));
    }
    let got = store.wait(async {
        let got = store.objects().get(key).await?;
        let modified = got.meta.last_modified;
        Ok(Read { bytes: got.bytes().await?, modified })
    });
    match got {
        Ok(read) => Ok(Some(read)),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(e) => Err(Error::from(e).at("object", store.address(key))),
    }
}

fn read_file(path: &FilePath) -> Result<Option<Read>> {
    let read = fs::read(path)
        .and_then(|bytes| Ok(Read { bytes: bytes.into(), modified: fs::metadata(path)?.modified()?.into() }));
    match read {
        Ok(read) => Ok(Some(read)),
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(e) => Err(Error::io("cannot read the Delta log", e).at("file", path.display())),
    }
}

fn create_file(path: &FilePath, bytes: &[u8]) -> Created {
    let folder = path.parent().unwrap_or(path);
    let temporary = match write_temporary(folder, bytes) {
        Ok(temporary) => temporary,
        Err(e) => {
            return Created::Refused(
                Error::io("cannot write the Delta log", e).at("folder", folder.display()),
            );
        }
    };
    failpoint::reached("delta.written");
    // A network file system may link and lose the reply, so that no error of a link is clear.
    let linked = fs::hard_link(&temporary, path).and_then(|()| File::open(folder)?.sync_all());
    let _ = fs::remove_file(&temporary);
    match linked {
        Ok(()) => Created::Yes,
        Err(e) => {
            let is_refusal = matches!(e.kind(), ErrorKind::PermissionDenied | ErrorKind::Unsupported);
            let error = Error::io("cannot link a version of the Delta log", e).at("file", path.display());
            match is_refusal {
                true => Created::Refused(error.help("the file system must have hard links")),
                false => Created::Unclear(error),
            }
        }
    }
}

/// A file of these bytes, durable. Its name has the form that Delta's other writers give their temporary files.
fn write_temporary(folder: &FilePath, bytes: &[u8]) -> io::Result<PathBuf> {
    make_folder(folder)?;
    let path = folder.join(format!("_commit_{}.json.tmp", uuid::Uuid::new_v4()));
    let written = File::create_new(&path).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map(|()| path.clone()).inspect_err(|_| {
        let _ = fs::remove_file(&path);
    })
}

/// Makes a folder with those around it, each of them durable.
pub fn make_folder(folder: &FilePath) -> io::Result<()> {
    let missing: Vec<&FilePath> = folder.ancestors().take_while(|folder| !folder.exists()).collect();
    fs::create_dir_all(folder)?;
    let parents = missing.iter().filter_map(|folder| folder.parent());
    parents
        .filter(|parent| !parent.as_os_str().is_empty())
        .try_for_each(|parent| File::open(parent)?.sync_all())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Location;

    #[test]
    fn what_is_there_is_kept_and_no_temporary_file_stays() {
        let folder = tempfile::tempdir().unwrap();
        let local = folder.path().join("t/_delta_log/0.json").display().to_string();
        for address in [local.as_str(), "memory:///put/t/_delta_log/0.json"] {
            let Location { store, path, .. } = Location::exact(address).unwrap();
            assert!(read(&store, &path).unwrap().is_none());
            assert!(matches!(create(&store, &path, Bytes::from_static(b"first")), Created::Yes));
            assert!(matches!(create(&store, &path, Bytes::from_static(b"second")), Created::Unclear(_)));
            assert_eq!(read(&store, &path).unwrap().unwrap().bytes, b"first".as_slice());
        }
        let log = folder.path().join("t/_delta_log");
        assert_eq!(fs::read_dir(log).unwrap().count(), 1);
    }

    #[test]
    fn a_place_that_cannot_be_written_to_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("t"), "a file").unwrap();
        let path = folder.path().join("t/_delta_log/0.json");
        assert!(matches!(create_file(&path, b"x"), Created::Refused(_)));
    }
}
