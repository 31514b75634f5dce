//! What a publish does when something is at its target already.
//!
//! The words are Spark's. What each promises on a local file system stands in `local`, and on an
//! object store, where nothing can be renamed, in `objects`.

use crate::error::{Class, Error};

/// What a write does when something is at its target already; see [`Write::mode`](crate::Write::mode).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Fails: an output is never touched. This is what happens unless another mode is asked for.
    #[default]
    Error,
    /// Replaces the whole output.
    Overwrite,
    /// Adds files to those that are there. It does not look into them: their columns may differ.
    Append,
    /// Does nothing. The run says so and, unless it publishes something else, ends as skipped.
    Ignore,
    /// Replaces the partitions that have new rows and leaves the others; needs `partition_by`.
    ReplacePartitions,
}

impl Mode {
    /// Whether something may be at the target.
    pub(super) fn joins(self) -> bool {
        !matches!(self, Mode::Error | Mode::Ignore)
    }
}

/// Something is at a target that must be free.
pub(super) fn exists(target: &str) -> Error {
    Error::config("the output exists").at("output", target).help(
        "choose another place, remove it if it is not needed, or say by `write().mode(..)` what to do with it",
    )
}

/// Not a folder, so that no mode can add to it or replace it.
pub(super) fn not_a_folder(target: &str) -> Error {
    Error::new(Class::Config, "the output is a file")
        .at("output", target)
        .help("an output is a folder of files: choose another place")
}
