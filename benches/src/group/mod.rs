//! Sums values by key, where nearly all keys are distinct.
//!
//! The sums are too many to print, so both contenders reduce them to their number, their sum and the
//! sum of their squares, which changes if two keys are confused.

pub mod data;
pub mod job;
pub mod limit;
pub mod sums;
