//! What a publish does when something is at its target already.
//!
//! The names of the modes are Spark's. What each promises is documented in `local` for a file system, and in `objects`
//! for an object store.

use crate::error::Error;
use crate::job::Mode;

impl Mode {
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
