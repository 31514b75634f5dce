//! Cuts a plan into stages.
//!
//! A plan is a graph of DataFusion `ExecutionPlan`s with an [`ExchangeExec`] wherever rows must be exchanged
//! between partitions. [`cut`] splits it there into [`Stage`]s, each of which runs partition by partition
//! without waiting for another; [`explain`] prints them with the reason of every exchange and the user's
//! source line. This crate never sees a row, never waits, and does not know where stages run.

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
