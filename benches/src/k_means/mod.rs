//! Groups points of 8 dimensions around 16 centres, in ten rounds.
//!
//! Coordinates are multiples of 1/1024, so sums of them are exact in any order and both contenders find
//! the same centres to the last bit. Both use the same function to find the nearest centre (`centres`),
//! so their times differ only in the cost of handling rows.

mod centres;
pub mod data;
pub mod job;
pub mod limit;
