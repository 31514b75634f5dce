//! How the code and data of a stage reach another process.
//!
//! Code is not sent: every executor runs the same binary, and each operator type has an entry in a link-time
//! [`table`]. A closure without captures has size 0, so its type determines its code. Data is sent as
//! [`params`]: values declared with `cx.share`, and the plain fields of operators. A closure that captures
//! anything undeclared is detected before anything runs ([`captures`]).

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
