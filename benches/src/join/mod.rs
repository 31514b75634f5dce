//! Joins two tables of as many rows, whose right one has every key once, and sums by segment.
//!
//! The sums keep the answer small, so that joining is what is measured. Keys of the left side are
//! spread evenly, or one of them holds 30 % of the rows. With payloads (`wide`), the tables are for
//! jobs that have less memory than they need; there is no limit program for these.

pub mod data;
pub mod job;
pub mod limit;
pub mod segments;
pub mod wide;
