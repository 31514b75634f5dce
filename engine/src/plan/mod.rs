//! Kiln's operators as DataFusion plan nodes: typed inside, type-erased outside.

mod continued;
mod fused;
mod operator;
mod partitions;
mod wire;

pub use continued::{ContinuedExec, bounded, union};
pub use fused::{Fused, Terminal};
pub use operator::{Operator, OperatorExec};
pub use partitions::PartitionsExec;
pub use wire::{decode, encode};
