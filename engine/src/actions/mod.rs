//! The actions of a dataset, one per file: what makes a job run, and what comes back.

mod aggregate;
mod approx_quantiles;
mod checkpoint;
mod collect;
mod collect_as_map;
mod count;
mod count_approx_distinct;
mod ending;
mod first;
mod fold;
mod for_each;
mod for_each_partition;
mod is_empty;
mod iter;
mod joining;
mod max;
mod mean;
mod min;
mod number;
mod reduce;
mod stats;
mod sum;
mod summary;
mod take;
mod take_ordered;
mod top;
mod try_for_each;
mod try_for_each_partition;
mod write;
mod write_files;
mod write_parquet;
mod write_text;

pub use number::Number;
pub use stats::Stats;
pub use write::Write;
