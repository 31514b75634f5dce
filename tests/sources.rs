//! The rows of file sources, and their errors for malformed files.
//!
//! Files are written with the writers of `arrow` and `parquet`, or byte by byte, and read as typed
//! rows. Errors must name the file and the location; damaged files must give such an error or the
//! correct rows.

#![allow(clippy::unwrap_used, reason = "a test fails by it, also in its support functions")]

#[path = "sources/damaged.rs"]
mod damaged;
#[path = "sources/delimited.rs"]
mod delimited;
#[path = "sources/exact.rs"]
mod exact;
#[path = "sources/files.rs"]
mod files;
#[path = "sources/filter_model.rs"]
mod filter_model;
#[path = "sources/filters.rs"]
mod filters;
#[path = "sources/folders.rs"]
mod folders;
#[path = "sources/footers.rs"]
mod footers;
#[path = "support/generated.rs"]
mod generated;
#[path = "sources/literals.rs"]
mod literals;
#[path = "sources/places.rs"]
mod places;
#[path = "sources/schemas.rs"]
mod schemas;
#[path = "sources/statistics.rs"]
mod statistics;
#[path = "sources/times.rs"]
mod times;
#[path = "sources/untyped.rs"]
mod untyped;
