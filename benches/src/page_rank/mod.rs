//! Ranks pages by the links to them, in ten rounds; every page has links.
//!
//! The limit is a loop over dense arrays, which a general engine cannot be: the ratio is stated, not
//! judged. Ranks are printed with six digits, because the order of a sum of floats is each
//! contender's own.

pub mod data;
pub mod job;
pub mod limit;
pub mod ranks;
