//! Publishing an output: all of it appears at once, or nothing does.
//!
//! Tasks write their files (`parts`, over one file per format) into a staging place beside the target
//! (`place`), outside of anything that a reader of the target would glob, each attempt under names of
//! its own and without extension. The driver then takes the files of the attempts that it counts and
//! brings them to the target, as the [`Mode`] says: by renaming on a file system (`local`), by copies
//! and a marker in an object store (`objects`). Nothing is ever listed to find out what belongs to
//! the output. Rows and plans are not known here.

mod csv;
#[allow(dead_code, unused_imports, reason = "the sink that commits to it comes later")]
pub mod delta;
mod dictionaries;
#[allow(dead_code, reason = "the commits of the stores move to it one after the other")]
mod head;
mod hive;
mod json;
mod layout;
mod lines;
mod local;
mod mode;
mod objects;
mod parquet;
mod part_file;
mod parts;
mod place;
mod sorted;
mod text;

pub use layout::{Compression, Format, Layout};
pub use mode::Mode;
pub use part_file::Part;
pub use parts::{PartFiles, Writer};
pub use place::Place;

use crate::error::{Error, Result};
use crate::job::{Output, Run};
use crate::source::Location;
use local::LocalPublication;
use objects::ObjectPublication;

/// The folder or prefix, beside a target, in which outputs are staged.
const STAGE: &str = ".kiln-stage";

/// An output that is being made. Dropped before [`commit`](Publication::commit), it leaves nothing.
pub enum Publication {
    /// At a path.
    Local(LocalPublication),
    /// In an object store.
    Objects(ObjectPublication),
}

impl Publication {
    /// Prepares to publish at `uri`; `None` when something is there and the mode is to ignore that.
    ///
    /// # Errors
    /// Config when the mode does not allow what is there or the address cannot be written to, auth
    /// without permission.
    pub fn begin(uri: &str, mode: Mode, run: &Run) -> Result<Option<Publication>> {
        let output = Location::output(uri)?;
        check_name(&output).map_err(|e| e.at("output", uri))?;
        match output.local_path() {
            Some(target) => Ok(LocalPublication::begin(target, mode, run)?.map(Publication::Local)),
            None => Ok(ObjectPublication::begin(output, mode, run)?.map(Publication::Objects)),
        }
    }

    /// Where tasks write their files.
    pub fn place(&self) -> Place {
        match self {
            Publication::Local(local) => local.place(),
            Publication::Objects(objects) => objects.place(),
        }
    }

    /// Publishes the files in `parts`, and no others.
    ///
    /// # Errors
    /// Config when something has appeared at the target meanwhile; else by the failing operation.
    pub fn commit(self, partitions: u64, parts: Vec<Part>) -> Result<Output> {
        match self {
            Publication::Local(local) => local.commit(partitions, parts),
            Publication::Objects(objects) => objects.commit(partitions, parts),
        }
    }
}

/// Refuses an output that others would be staged or published in.
fn check_name(output: &Location) -> Result<()> {
    match output.path.filename() {
        None if output.store.is_local() => Err(Error::config("an output cannot be the root folder")),
        None => {
            let error = Error::config("an output cannot be a whole bucket");
            Err(error.help("name a prefix in it: s3://bucket/output"))
        }
        Some(_) if output.path.parts().any(|part| part.as_ref() == STAGE) => {
            let error = Error::config(format!("outputs are staged in folders named {STAGE}"));
            Err(error.help("choose another folder: what is in one of these may be removed"))
        }
        Some(_) => Ok(()),
    }
}

/// `day=1/part-00000.csv.gz` with the tag of one publish: `day=1/part-00000-1f0c2a9b.csv.gz`.
fn tagged(name: &str, tag: &str) -> String {
    let file = name.rfind('/').map_or(0, |slash| slash + 1);
    let dot = name[file..].find('.').map_or(name.len(), |dot| file + dot);
    format!("{}-{tag}{}", &name[..dot], &name[dot..])
}

fn output(uri: String, partitions: u64, parts: &[Part]) -> Output {
    Output {
        uri,
        partitions,
        files: parts.len() as u64,
        rows: parts.iter().map(|part| part.rows).sum(),
        bytes: parts.iter().map(|part| part.bytes).sum(),
    }
}
