//! Where chains start: the typed side of each source, one per file.
//!
//! A source knows its partitions when it is made; reading begins when a task drives it. What text
//! files are and how they are cut into splits is the business of `source`.

mod files;
mod parallelize;
mod range;
mod range_in;
mod read;
mod read_arrow;
mod read_binary_files;
mod read_csv;
mod read_json;
mod read_parquet;
mod read_text;
mod read_text_files;
mod skipped;
mod whole_files;

pub use read::Read;
