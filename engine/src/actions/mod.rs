//! The actions of a dataset, one per file: what makes a job run, and what comes back.

mod collect;
mod count;
mod reduce;
mod take;
mod top;
mod write;
mod write_parquet;
mod write_text;

pub use write::Write;
