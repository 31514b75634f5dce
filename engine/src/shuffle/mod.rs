//! The shuffle: outputs are written by target partition, stored, and read in the order of the tasks.
//!
//! A task's output stays in memory as Arrow batches, in the [`BlockStore`] of the process that ran it, and
//! spills to a temporary file when there is no room. Readers in the same process use the batches directly;
//! readers in other processes fetch them over Arrow Flight (`cluster`). The operators decide which partition
//! a row belongs to.

mod store;
mod writer;

pub use store::{Block, BlockStore, OutputKey, TaskOutput};
pub use writer::PartitionedWriter;
