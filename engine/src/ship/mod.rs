//! How a stage's code and data reach another process.
//!
//! Code does not travel: every executor is the same binary, and each operator type has left an
//! entry in a link-time [`table`]. A closure without captures has size 0, so its type is its code.
//! Data travels as [`params`]: what `cx.share` declared, and the plain fields of operators. A
//! closure that captures anything undeclared is found here, before anything runs ([`captures`]).

pub mod captures;
pub mod closure;
pub mod lazy;
pub mod merge;
pub mod params;
pub mod shared;
pub mod table;

/// The names of all operators that an executor of this binary can run: its link-time table.
pub fn stage_names() -> impl Iterator<Item = &'static str> {
    table::table().iter().map(|entry| entry.name)
}
