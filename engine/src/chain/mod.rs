//! Fused chains of narrow operators: one monomorphised type, compiled to one loop.
//!
//! Rows are pushed: a source drives the chain, each operator wraps the sink of the next one in its own
//! small sink, and the compiler sees a single loop nest. Views are arguments, so a row may borrow from
//! the source's buffer for the length of one call, and nothing is allocated per record. A chain does
//! not depend on the plan around it or on where it runs.

mod erased;
mod exact;
mod func;
mod positional;
mod step;
mod then;

pub use erased::Erased;
pub use exact::{Exact, Into1, Into2};
pub use func::{Func, FuncInfo, Map1, Map2, Plain, RowFn, RowsFn, SharedRowFn, SharedRowsFn, With};
pub use positional::{Positional, ThenAt};
pub use step::Step;
pub use then::{Narrow, Then};

use crate::error::Result;
use crate::row::Row;
use crate::ship::closure::Closure;
use crate::ship::params::Ship;
use crate::task::Task;

/// Receives the rows of a chain.
pub trait RowConsumer<T: Row> {
    /// Takes one row.
    fn push(&mut self, row: T::View<'_>);

    /// Whether further rows would be ignored. Sources check this from time to time.
    #[inline]
    fn is_full(&self) -> bool {
        false
    }
}

/// A source and the narrow operators after it, as one type.
pub trait Chain: Ship + Clone + Send + Sync + 'static {
    /// The row type of the output.
    type Out: Row;

    /// Pushes all rows of the task's partition into `sink`.
    fn drive<S: RowConsumer<Self::Out>>(&self, task: &Task<'_>, sink: &mut S) -> Result<()>;

    /// Appends the source and the operators to `steps`, for `explain`.
    fn steps(&self, steps: &mut Vec<Step>);

    /// Appends the closures to `closures`.
    fn closures(&self, closures: &mut Vec<Closure>);

    /// Number of bytes that the source will read, or 0 if unknown.
    fn source_bytes(&self) -> u64 {
        0
    }

    /// How many rows the source has, if these are its rows and it tells.
    ///
    /// # Errors
    /// Those of the source.
    fn count_source(&self) -> Result<Option<u64>> {
        Ok(None)
    }

    /// Whether this is nothing but the rows of another plan node.
    fn is_input(&self) -> bool {
        false
    }
}
