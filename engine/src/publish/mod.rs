//! Publishing an output: all of it appears at once, or nothing does.
//!
//! Tasks write into a staging folder beside the target, outside of anything that a reader of the
//! target would glob, each attempt under a name of its own. The driver then takes the files of the
//! attempts that it counts, one per partition, and renames the folder that holds them into place:
//! one step that fails if something has appeared there meanwhile. Nothing is ever listed to find out
//! what belongs to the output.

mod local;
mod parquet;

pub use local::{Part, Publication};
pub use parquet::ParquetPart;
