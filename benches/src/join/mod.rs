//! Joins two tables of the same size, the right one with unique keys, and sums by segment.
//!
//! The sums keep the answer small, so that mostly the join is measured. Keys of the left side are
//! uniform, or 30 % of its rows have one key. Tables with payloads (`wide`) are for jobs with less
//! memory than they need; there is no hand-written program for these.

pub mod data;
pub mod job;
pub mod limit;
pub mod segments;
pub mod wide;
