//! The operators of a dataset, one per file: the method that users call, and what a task does.

mod aggregate_by_key;
mod cache;
mod coalesce;
mod cogroup;
mod columns;
mod combine_by_key;
mod count_by_key;
mod count_by_value;
mod distinct;
mod filter;
mod flat_map;
mod flat_map_values;
mod fold_by_key;
mod group_by;
mod group_by_key;
mod hashed;
mod inspect;
mod join;
mod key_by;
mod keys;
mod map;
mod map_values;
mod place_by_key;
mod random;
mod random_split;
mod reduce_by_key;
mod sample;
mod sort_by_key;
mod union;
mod values;
mod zip_with_index;
mod zip_with_unique_id;

pub(crate) use columns::Columns;
