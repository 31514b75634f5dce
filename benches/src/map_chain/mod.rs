//! Sums rows after ten maps: measures the overhead of an engine per row.
//!
//! Both contenders use the same ten functions (`steps`).

pub mod job;
pub mod limit;
mod steps;
