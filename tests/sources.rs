//! What sources over files give, and what they say about files that are not as they should be.
//!
//! Files are written with the writers of `arrow` and `parquet`, or by hand, and read as typed rows. The
//! errors must name file and place; damaged files must give such an error or the right rows.

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
