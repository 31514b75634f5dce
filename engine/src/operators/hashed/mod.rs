//! Rows of one partition by their key, for operators that must hold them: joins and groups.
//!
//! An exchange has brought equal keys into one partition, and a partition covers a range of the
//! hash. While its rows fit the task's share of the memory they are held as they came ([`Index`]).
//! When they do not, the range of the hash is cut into parts ([`Part`]), and the inputs are read
//! once for each ([`Replay`]): an exchange keeps its rows until the job ends, in memory or on disk,
//! so reading again needs no file of its own. What is done with rows is the operators' business.

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
