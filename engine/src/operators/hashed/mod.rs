//! Hash tables of the rows of one partition, for operators that must hold rows: joins and groups.
//!
//! After an exchange, equal keys are in one partition, and a partition covers a range of hashes. If its
//! rows fit in the task's share of memory, they are held as they arrived ([`Index`]). Otherwise the
//! hash range is cut into parts ([`Part`]), and the inputs are read once for each part ([`Replay`]). An
//! exchange keeps its rows until the job ends, in memory or on disk, so reading it again needs no other
//! file. What happens to the rows is up to the operators.

mod index;
mod loader;
mod replay;
mod room;
mod side;

pub use index::{Index, Rows};
pub use loader::Loader;
pub use replay::{Gathered, Replay};
pub use room::{Room, Size};
pub use side::{Held, Side, TooLarge, cut};
