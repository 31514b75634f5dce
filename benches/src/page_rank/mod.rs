//! Ranks pages by the links to them, in ten rounds. Every page has outgoing links.
//!
//! The hand-written program is a loop over dense arrays, which a general engine cannot match: its ratio
//! is reported without a target. Ranks are printed with six digits, because contenders add floats in
//! different orders.

pub mod data;
pub mod job;
pub mod limit;
pub mod ranks;
