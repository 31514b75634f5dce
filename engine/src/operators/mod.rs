//! The operators of a dataset, one per file: the method that users call, and what a task does.

mod cache;
mod columns;
mod count_by_value;
mod distinct;
mod filter;
mod flat_map;
mod fold_by_key;
mod join;
mod key_by;
mod map;
mod map_values;
mod place_by_key;
mod reduce_by_key;
mod sort_by_key;
mod union;

pub(crate) use columns::Columns;
