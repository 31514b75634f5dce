//! Sums values by key, where nearly every key is another one.
//!
//! The sums are too many to print, so both contenders reduce them to how many there are, their sum,
//! and the sum of their squares, which differs when two keys are taken for one.

pub mod data;
pub mod job;
pub mod limit;
pub mod sums;
