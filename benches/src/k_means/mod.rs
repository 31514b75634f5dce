//! Groups points of 8 dimensions around 16 centres, in ten rounds.
//!
//! Coordinates are multiples of 1/1024, so that sums of them are exact in any order and both
//! contenders find the same centres to the last bit. Where a point belongs is one function for both
//! (`centres`), so the difference between their times is what the rows cost.

mod centres;
pub mod data;
pub mod job;
pub mod limit;
