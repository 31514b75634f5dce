//! The first version of a table, which the head of the output has decided and another attempt puts.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::actions;
use super::log::{AsOf, Log, name_of};
use super::put::{self, Created};
use super::values::decoded;
use crate::error::{Error, Result};
use crate::failpoint;
use crate::publish::objects::keys;
use crate::publish::pause::Pause;

/// How long the version is tried to be put.
const PUT_LIMIT: Duration = Duration::from_secs(120);

/// What has become of a first version.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Carried {
    /// It is the first version of the table.
    Out,
    /// Another writer has made the table, or files of the version are gone: it never will be.
    Void,
}

/// Puts `commit` as the first version of the table, if that is not there.
///
/// # Errors
/// Data for a commit that cannot be read; else by the failing request.
pub fn carry_out(log: &Log, commit: &str) -> Result<Carried> {
    let key = log.key(&name_of(0))?;
    let is_ours = |read: &put::Read| read.bytes == commit.as_bytes();
    // The first version of an old table may be cleaned up, so that its name is free.
    if log.load(AsOf::Latest)?.is_some() || !has_files(log, commit)? {
        let first = put::read(&log.store, &key)?;
        return Ok(if first.as_ref().is_some_and(is_ours) { Carried::Out } else { Carried::Void });
    }
    let (begun, mut pause) = (Instant::now(), Pause::default());
    loop {
        let unclear = match put::create(&log.store, &key, Bytes::from(commit.to_owned())) {
            Created::Yes => return Ok(Carried::Out),
            Created::Refused(error) => return Err(error),
            Created::Unclear(error) => error,
        };
        match put::read(&log.store, &key) {
            Ok(Some(read)) if is_ours(&read) => return Ok(Carried::Out),
            Ok(Some(_)) => return Ok(Carried::Void),
            Ok(None) | Err(_) if begun.elapsed() < failpoint::limit(PUT_LIMIT) => pause.wait(),
            Ok(None) | Err(_) => return Err(unfinished(log, unclear)),
        }
    }
}

fn unfinished(log: &Log, cause: Error) -> Error {
    Error::transient("the first version of the table is decided, and the store does not take it")
        .because(cause)
        .reason("commit_in_progress")
        .at("table", log.store.address(&log.root))
        .help("run the job again")
}

/// Whether the files that `commit` adds are there: somebody may have removed the folder of the table.
fn has_files(log: &Log, commit: &str) -> Result<bool> {
    let actions = actions::parse(commit.as_bytes())?;
    let adds = actions.iter().filter_map(|action| action.add.as_ref());
    let paths = adds.map(|add| log.below(&decoded(&add.path)?)).collect::<Result<Vec<_>>>()?;
    if log.store.is_local() {
        return Ok(paths.iter().all(|path| std::path::Path::new(&log.store.address(path)).exists()));
    }
    let listed: BTreeSet<_> =
        keys::list(&log.store, &log.root)?.into_iter().map(|object| object.location).collect();
    Ok(paths.iter().all(|path| listed.contains(path)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Location;

    const COMMIT: &str = r#"{"add":{"path":"a.parquet","partitionValues":{},"size":1,"modificationTime":2}}
{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}
{"metaData":{"id":"x","format":{"provider":"parquet"},"schemaString":"{}","partitionColumns":[]}}
"#;

    /// A table on disk, and one in a store, with the file of the commit or without.
    fn logs(has_file: bool) -> Vec<(tempfile::TempDir, Log)> {
        let places = ["disk", "memory"].map(|place| {
            let folder = tempfile::tempdir().unwrap();
            let local = folder.path().join("t").display().to_string();
            let memory = format!("memory:///first/{}/t", uuid::Uuid::new_v4());
            let log = Log::at(&Location::exact(if place == "disk" { &local } else { &memory }).unwrap());
            if has_file {
                let key = log.below("a.parquet").unwrap();
                assert!(matches!(put::create(&log.store, &key, "rows".into()), Created::Yes));
            }
            (folder, log)
        });
        places.into()
    }

    #[test]
    fn it_is_put_once_and_only_where_no_table_is() {
        for (_folder, log) in logs(true) {
            assert_eq!(carry_out(&log, COMMIT).unwrap(), Carried::Out);
            assert_eq!(carry_out(&log, COMMIT).unwrap(), Carried::Out);
            assert_eq!(carry_out(&log, &COMMIT.replace("a.parquet", "b.parquet")).unwrap(), Carried::Void);
            assert_eq!(log.load(AsOf::Latest).unwrap().unwrap().files.len(), 1);
        }
    }

    #[test]
    fn it_is_void_when_a_file_of_it_is_gone() {
        for (_folder, log) in logs(false) {
            assert_eq!(carry_out(&log, COMMIT).unwrap(), Carried::Void);
            assert!(log.load(AsOf::Latest).unwrap().is_none());
        }
    }
}
