//! The manifest of an output, the file `_SUCCESS`: it names every file that is part of the output.
//!
//! Spark and Hadoop leave an empty file of this name when an output is whole. Here it also lists the files, so that a
//! reader of an object store, where nothing can be renamed, sees all files of one version or all of another: it takes
//! the manifest and reads what the manifest names. On disk it is written for the same readers.

use futures::StreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::store::Store;
use crate::error::{Error, Result};

/// Its name in the output's folder.
pub const MANIFEST: &str = "_SUCCESS";
/// The folder or prefix, beside an output, in which the heads and the runs of outputs are recorded.
pub const BOOKS: &str = "_kiln";
/// Characters of a publish's UUID in the names of its files.
pub const TAG_CHARS: usize = 8;

/// What the manifest holds, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of the output that it describes.
    pub version: u64,
    /// The run that published it.
    pub run_id: String,
    /// The attempt.
    pub attempt: u32,
    /// The UUID of the publish.
    pub publish: String,
    /// All files of the output, in the order of their names.
    pub files: Vec<ManifestFile>,
}

/// What a reader needs of the head of an output (`publish::head`) that has no manifest yet.
#[derive(Deserialize)]
struct Undecided {
    publishes: Vec<Publish>,
    state: State,
}

#[derive(Deserialize)]
struct Publish {
    claim: Claim,
}

#[derive(Deserialize)]
struct Claim {
    publish: String,
}

#[derive(Deserialize)]
struct State {
    /// Whether plain files were published.
    files: Option<IgnoredAny>,
    is_settled: bool,
    unpublished: Vec<String>,
}

/// A file of an output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestFile {
    /// Its path in the output's folder.
    pub name: String,
    /// Its rows; `None` for a file that another program has put there.
    pub rows: Option<u64>,
    /// Its bytes.
    pub bytes: u64,
}

impl Manifest {
    /// The manifest of the output at the prefix `output`, if it has one.
    ///
    /// # Errors
    /// By the failing request.
    pub fn read(store: &Store, output: &Path) -> Result<Option<Manifest>> {
        let key = Path::parse(format!("{output}/{MANIFEST}")).map_err(|e| {
            Error::config("the output's prefix cannot be used").because(e).at("output", store.address(output))
        })?;
        Ok(get(store, &key)?.and_then(|json| Manifest::parse(&json)))
    }

    /// The tags in the names of files that are no part of the output `output`, which has no manifest: its first publish is
    /// under way or was killed.
    ///
    /// # Errors
    /// By the failing request.
    pub(super) fn unpublished(store: &Store, output: &Path) -> Result<Vec<String>> {
        let Some(json) = get(store, &head_key(output)?)? else { return Ok(Vec::new()) };
        let Ok(head) = serde_json::from_slice::<Undecided>(&json) else { return Ok(Vec::new()) };
        let mut tags = head.state.unpublished;
        // The files of a table are named by its log: an attempt that was killed after its commit has left its tag here.
        if !tags.is_empty() && has_log(store, output)? {
            return Ok(Vec::new());
        }
        if head.state.files.is_some() && !head.state.is_settled {
            let publishes = head.publishes.into_iter();
            tags.extend(publishes.filter_map(|done| done.claim.publish.get(..TAG_CHARS).map(str::to_owned)));
        }
        Ok(tags)
    }

    /// The manifest in `json`; `None` for the marker of another program.
    pub fn parse(json: &[u8]) -> Option<Manifest> {
        serde_json::from_slice(json).ok()
    }

    /// As JSON.
    pub fn to_json(&self) -> Vec<u8> {
        // Texts and integers: there is nothing in it that JSON cannot hold.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// Whether the folder of an output has the log of a Delta table.
fn has_log(store: &Store, output: &Path) -> Result<bool> {
    let prefix = output.clone().join("_delta_log");
    let mut objects = store.objects().list(Some(&prefix));
    Ok(store.wait(objects.next()).transpose()?.is_some())
}

/// Where the head of the output `output` is in a store: what is published there, and who may publish.
///
/// # Errors
/// Config for a prefix that is no part of a key.
pub fn head_key(output: &Path) -> Result<Path> {
    let (above, name) = output.as_ref().rsplit_once('/').unwrap_or(("", output.as_ref()));
    let slash = if above.is_empty() { "" } else { "/" };
    Path::parse(format!("{above}{slash}{BOOKS}/heads/{name}.json"))
        .map_err(|e| Error::config("the output's prefix cannot be used").because(e))
}

/// Whether `name` is a file of the publish with this tag.
pub fn is_tagged(name: &str, tag: &str) -> bool {
    name.rsplit('/').next().is_some_and(|file| file.contains(&format!("-{tag}")))
}

/// The object `key`, if it is there.
fn get(store: &Store, key: &Path) -> Result<Option<bytes::Bytes>> {
    match store.wait(async { store.objects().get(key).await?.bytes().await }) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(e) => Err(Error::from(e).at("object", store.address(key))),
    }
}
