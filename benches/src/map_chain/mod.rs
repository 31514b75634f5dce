//! Sums rows after ten maps: what an engine adds to a row that costs nothing.
//!
//! The ten maps are the same functions for both contenders (`steps`).

pub mod job;
pub mod limit;
mod steps;
