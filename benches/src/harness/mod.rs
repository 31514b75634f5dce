//! Runs, measures and compares contenders.

pub mod contest;
pub mod measure;
pub mod report;
pub mod scratch;
pub mod startup;
