//! A plan in, stages out.
//!
//! A plan is a tree of DataFusion `ExecutionPlan`s in which an [`ExchangeExec`] stands wherever
//! rows must move between partitions. [`cut`] splits it there into [`Stage`]s, each of which runs
//! partition by partition without waiting for another; [`explain`] prints them with the reason of
//! every exchange and the user's source line. This crate never sees a row, never waits, and does
//! not know where stages run.

mod cut;
mod exchange;
mod explain;
mod ids;
mod union;
mod walk;

pub use cut::{Stage, StageGraph, cut};
pub use exchange::{ExchangeExec, ExchangeReadExec, Movement, leaf_properties};
pub use explain::explain;
pub use ids::{ExchangeId, Site, StageId};
pub use union::UnionExec;
pub use walk::{Inputs, identity, post_order};
