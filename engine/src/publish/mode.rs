//! What a publish does when something is at its target already.
//!
//! The words are Spark's. What each promises on a local file system stands in `local`, and on an
//! object store, where nothing can be renamed, in `objects`.

use crate::error::Error;

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
    /// As [`Append`](Mode::Append), for a job that must not add its rows twice: it needs a run id, by which a retry
    /// finds that they were added.
    AppendOnce,
    /// Does nothing. The run says so and, unless it publishes something else, ends as skipped.
    Ignore,
    /// Replaces the partitions that have new rows and leaves the others; needs `partition_by`.
    ReplacePartitions,
}

/// The modes by the names that `--kiln-mode` and `KILN_MODE` take.
const NAMES: [(&str, Mode); 6] = [
    ("error", Mode::Error),
    ("overwrite", Mode::Overwrite),
    ("append", Mode::Append),
    ("append-once", Mode::AppendOnce),
    ("ignore", Mode::Ignore),
    ("replace-partitions", Mode::ReplacePartitions),
];

impl Mode {
    /// The mode of this name.
    pub(crate) fn named(name: &str) -> Option<Mode> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, mode)| *mode)
    }

    /// Whether something may be at the target.
    pub(super) fn joins(self) -> bool {
        !matches!(self, Mode::Error | Mode::Ignore)
    }
}

/// Something is at a target that must be free.
pub(super) fn exists(target: &str) -> Error {
    Error::config("the output exists").reason("output_exists").at("output", target).help(
        "choose another place, remove it if it is not needed, or set what happens to it by `write().mode(..)` or --kiln-mode",
    )
}

/// Not a folder, so that no mode can add to it or replace it.
pub(super) fn not_a_folder(target: &str) -> Error {
    Error::config("the output is a file")
        .reason("output_is_a_file")
        .at("output", target)
        .help("an output is a folder of files: choose another place")
}
