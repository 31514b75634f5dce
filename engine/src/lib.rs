//! Kiln: typed, lazily evaluated datasets that run in one process or across executors.
//!
//! A job is an ordinary program. It builds [`Dataset`]s from sources and operators and requests a result with
//! an action. The plan is cut into stages wherever rows must be exchanged, and stages run on task slots of
//! this process or on executor processes of the same binary.
//!
//! ```no_run
//! use kiln::Context;
//!
//! #[derive(clap::Parser)]
//! struct Args {
//!     input: String,
//!     output: String,
//! }
//!
//! #[kiln::main]
//! fn main(cx: Context, args: Args) -> kiln::Result<()> {
//!     let counts = cx.read_text(&args.input)
//!         .flat_map_to(str::split_whitespace)
//!         .map_to::<(String, u64)>(|word| (word, 1))
//!         .reduce_by_key(|a, b| a + b);
//!     counts.write_parquet(&args.output)
//! }
//! ```

// A file that needs unsafe code allows it, next to the reason, and is listed in ARCHITECTURE.md.
#![deny(unsafe_code)]
// A dataset's type contains its whole chain, and is never written out.
#![allow(clippy::type_complexity)]

// Generated code of the derive macro refers to this crate by name, and so do the tests inside it.
extern crate self as kiln;

/// The programs of this page are doc tests.
#[cfg(doctest)]
#[doc = include_str!("../../docs/from-spark.md")]
struct FromSpark;

mod actions;
pub mod admin;
mod aggregate;
pub mod chain;
mod checks;
mod cluster;
mod config;
pub mod connect;
mod context;
mod dataset;
mod driver;
pub mod error;
mod failpoint;
pub mod job;
mod lock;
mod memory;
mod meter;
mod operators;
mod plan;
mod publish;
pub mod row;
mod runtime;
mod ship;
mod shuffle;
mod sort;
mod source;
mod sources;
mod task;

pub use actions::{Copied, Number, Stats, Write};
pub use arrow;
pub use bytes::Bytes;
pub use checks::{Check, Drift, OnFail, Reject, RejectView, Rejects};
pub use chrono;
pub use config::{Cluster, Config, parse_cluster};
pub use context::Context;
pub use dataset::Dataset;
pub use error::{Class, Error, Result};
pub use job::run_as_executor_if_asked;
pub use kiln_derive::{Row, main};
pub use memory::Level;
pub use operators::{OnError, PartitionRows, Partitioner};
pub use publish::{Compression, Mode};
pub use row::{Decimal, Opaque, Row};
pub use ship::lazy::Lazy;
pub use ship::shared::{Param, Shared};
pub use ship::stage_names;
pub use sources::Read;
pub use task::{Accumulator, Counter};

/// Expressions for [`Read::filter`]: comparisons of columns with values.
pub mod expr {
    pub use datafusion_expr::{Expr, ident as col};

    pub use crate::source::{IntoLiteral, lit};
}
