//! A fused chain of narrow operators: one monomorphised type, one loop.
//!
//! Rows are pushed: a source drives the chain, each operator wraps the sink below it in a small
//! sink of its own, and the compiler sees one loop nest. Views are arguments, so a row may borrow
//! from the source's buffer for the length of one call and nothing is allocated per record.
//! A chain knows neither the plan around it nor where it runs.

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

    /// Whether further rows would be ignored; a source looks now and then.
    #[inline]
    fn is_full(&self) -> bool {
        false
    }
}

/// A source and the narrow operators behind it, as one type.
pub trait Chain: Ship + Clone + Send + Sync + 'static {
    /// The rows that come out.
    type Out: Row;

    /// Pushes all rows of the task's partition into `sink`.
    fn drive<S: RowConsumer<Self::Out>>(&self, task: &Task<'_>, sink: &mut S) -> Result<()>;

    /// Names the source and the operators, for explain.
    fn steps(&self, steps: &mut Vec<Step>);

    /// Lists the closures.
    fn closures(&self, closures: &mut Vec<Closure>);

    /// Bytes that its source will read, where that is known.
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
