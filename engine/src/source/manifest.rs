//! The manifest of an output, the file `_SUCCESS`: it lists every file that is part of the output.
//!
//! Spark and Hadoop write an empty file of this name when an output is complete. Kiln's also lists the files,
//! so that in an object store, where nothing can be renamed, a reader sees all files of one version and none
//! of another: it reads the manifest and then the files that the manifest lists. On disk it is written for
//! the same readers.

use futures::StreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::store::Store;
use crate::error::{Error, Result};

/// The name of the manifest in the output's folder.
pub const MANIFEST: &str = "_SUCCESS";
/// The folder or prefix, next to an output, that stores the heads and runs of outputs.
pub const BOOKS: &str = "_kiln";
/// How many characters of a publish's UUID are in the names of its files.
pub const TAG_CHARS: usize = 8;

/// The content of the manifest, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of the output that it describes.
    pub version: u64,
    /// The run that published the version.
    pub run_id: String,
    /// The attempt of that run.
    pub attempt: u32,
    /// The UUID of the publish.
    pub publish: String,
    /// All files of the output, sorted by name.
    pub files: Vec<ManifestFile>,
}

/// The parts of an output's head (`publish::head`) that a reader needs while there is no manifest.
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
    /// Its rows; `None` for a file written by another program.
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

    /// The tags in the names of files that are not part of the output `output`, which has no manifest because
    /// its first publish is in progress or was killed.
    ///
    /// # Errors
    /// By the request that failed.
    pub(super) fn unpublished(store: &Store, output: &Path) -> Result<Vec<String>> {
        let Some(json) = get(store, &head_key(output)?)? else { return Ok(Vec::new()) };
        let Ok(head) = serde_json::from_slice::<Undecided>(&json) else { return Ok(Vec::new()) };
        let mut tags = head.state.unpublished;
        // The files of a table are listed in its log. An attempt that was killed after its commit has left
        // its tag here.
        if !tags.is_empty() && has_log(store, output)? {
            return Ok(Vec::new());
        }
        if head.state.files.is_some() && !head.state.is_settled {
            let publishes = head.publishes.into_iter();
            tags.extend(publishes.filter_map(|done| done.claim.publish.get(..TAG_CHARS).map(str::to_owned)));
        }
        Ok(tags)
    }

    /// Parses a manifest; `None` for the marker of another program.
    pub fn parse(json: &[u8]) -> Option<Manifest> {
        serde_json::from_slice(json).ok()
    }

    /// The manifest as JSON.
    pub fn to_json(&self) -> Vec<u8> {
        // Text and integers only: nothing that JSON cannot represent.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// Whether the folder of an output has the log of a Delta table.
fn has_log(store: &Store, output: &Path) -> Result<bool> {
    let prefix = output.clone().join("_delta_log");
    let mut objects = store.objects().list(Some(&prefix));
    Ok(store.wait(objects.next()).transpose()?.is_some())
}

/// The key of the head of the output `output` in a store, which records what is published there and who may
/// publish.
///
/// # Errors
/// Config for a prefix that cannot be part of a key.
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

/// The object `key`, if it exists.
fn get(store: &Store, key: &Path) -> Result<Option<bytes::Bytes>> {
    match store.wait(async { store.objects().get(key).await?.bytes().await }) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(e) => Err(Error::from(e).at("object", store.address(key))),
    }
}
