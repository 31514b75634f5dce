//! How an exchange is carried out: written by target partition, kept, read in the order of tasks.
//!
//! Memory first: a task's output stays as Arrow batches in the [`BlockStore`] of the process that
//! ran it, and goes to a temporary file when there is no room. Readers in the same process take the batches themselves; those in another process fetch
//! them over Arrow Flight (`cluster`). Which rows belong where is the operators' business.

mod store;
mod writer;

pub use store::{Block, BlockStore, OutputKey, TaskOutput};
pub use writer::PartitionedWriter;
