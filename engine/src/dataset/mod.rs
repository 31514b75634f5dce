//! Datasets: typed and lazily evaluated.
//!
//! A [`Dataset`] is a fused chain over the plan nodes that produce its input. Narrow operators extend the
//! chain and change its type; wide operators end it in a plan node, so they always return `Dataset<T>`, a
//! type that a loop variable or a signature can name. The methods are in the files of the operators
//! (`operators/`) and actions (`actions/`), one file each.

mod absent;
mod plan;
mod sources;

pub(crate) use plan::Origin;

use std::marker::PhantomData;
use std::sync::Arc;

use datafusion_physical_plan::ExecutionPlan;
use kiln_planner::Site;

use crate::chain::{Chain, Erased, FuncInfo, Narrow, Positional, Then, ThenAt};
use crate::context::Context;
use crate::error::Result;
use crate::plan::{Fused, OperatorExec, Terminal};
use crate::row::Row;

/// Rows of type `T`, computed only when an action needs them.
///
/// Operators consume a dataset and return another one; actions borrow it, run a job and return a result or
/// write files. A clone is cheap: it copies the plan and no rows. Each action computes the rows again from
/// their sources, unless [`cache`](Dataset::cache) or [`persist`](Dataset::persist) keeps them. Methods with
/// keys (`reduce_by_key`, `join`, …) are available on datasets of pairs, `Dataset<(K, V)>`.
///
/// The second parameter is the fused chain. It defaults to the chain at the start of a stage, so `Dataset<T>`
/// is the type to use in signatures:
///
/// ```
/// use kiln::{Context, Dataset};
/// # fn main() -> kiln::Result<()> {
/// let cx = Context::local(2);
/// let mut ranks: Dataset<(u64, f64)> = cx.range(0..4).map(|n| (n % 2, n as f64)).erase();
/// for _ in 0..3 {
///     ranks = ranks.reduce_by_key(|a, b| a + b);
/// }
/// assert_eq!(ranks.count()?, 2);
/// # Ok(()) }
/// ```
pub struct Dataset<T, C = Erased<T>> {
    pub(crate) chain: C,
    pub(crate) origin: Origin,
    _row: PhantomData<fn() -> T>,
}

impl<T, C> Dataset<T, C> {
    /// The rows that `chain` computes from those of `origin`.
    pub(crate) fn over(chain: C, origin: Origin) -> Dataset<T, C> {
        Dataset { chain, origin, _row: PhantomData }
    }
}

impl<T: Row, C: Chain<Out = T>> Clone for Dataset<T, C> {
    fn clone(&self) -> Self {
        Dataset::over(self.chain.clone(), self.origin.clone())
    }
}

impl<T: Row> Dataset<T> {
    /// The rows of a plan node.
    pub(crate) fn from_plan(plan: Arc<dyn ExecutionPlan>, origin: Origin) -> Dataset<T> {
        Dataset::over(Erased::new(), origin.over(plan))
    }
}

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// Converts to a type that can be written down: `Dataset<T>`.
    ///
    /// The chain ends here, and rows are passed to the next one as Arrow batches. Wide operators do this by
    /// themselves.
    pub fn erase(self) -> Dataset<T> {
        let plan = self.to_plan();
        Dataset::from_plan(plan, self.origin)
    }

    /// The stages that an action on this dataset would run, why rows are exchanged between them, and the
    /// lines of your program that caused it. Reads no data. Rows that `persist` keeps are read: the stages
    /// that computed them are not shown.
    ///
    /// # Errors
    /// Of class config when a source cannot be found.
    pub fn explain(&self) -> Result<String> {
        self.origin.check()?;
        self.origin.cx.explain(&self.to_plan())
    }

    /// The context that this dataset belongs to.
    pub fn context(&self) -> &Context {
        &self.origin.cx
    }

    /// Appends the narrow operator `N` to the chain.
    pub(crate) fn then<G, N>(self, func: G) -> Dataset<N::Out, Then<C, G, N>>
    where
        G: FuncInfo,
        N: Narrow<T, G>,
    {
        self.then_unchecked(func)
    }

    /// [`then`](Self::then) without its bounds, which the next method has: if a closure's result is not a
    /// row, the error is reported at the closure, and only once.
    pub(crate) fn then_unchecked<R, G, N>(self, func: G) -> Dataset<R, Then<C, G, N>> {
        // A new row may have a new key, so the partitioning is unknown.
        Dataset::over(Then::new(self.chain, func), self.origin.moved())
    }

    /// The same, for an operator that does not change the keys of rows.
    pub(crate) fn then_keyed_unchecked<R, G, N>(self, func: G) -> Dataset<R, Then<C, G, N>> {
        Dataset::over(Then::new(self.chain, func), self.origin)
    }

    /// The same, with the bounds.
    pub(crate) fn then_keyed<G, N>(self, func: G) -> Dataset<N::Out, Then<C, G, N>>
    where
        G: FuncInfo,
        N: Narrow<T, G>,
    {
        self.then_keyed_unchecked(func)
    }

    /// Appends an operator that depends on the positions of rows; rows that it keeps keep their keys.
    pub(crate) fn then_at<N: Positional<T>>(self, operator: N, site: Site) -> Dataset<N::Out, ThenAt<C, N>> {
        Dataset::over(ThenAt::new(self.chain, operator, site), self.origin)
    }

    /// The plan node that returns these rows as columns.
    pub(crate) fn to_plan(&self) -> Arc<dyn ExecutionPlan> {
        match self.origin.inputs.first() {
            Some(input) if self.chain.is_input() => Arc::clone(input),
            _ => self.end_in(crate::operators::Columns::new()),
        }
    }

    /// The plan node in which the chain ends with `end`.
    pub(crate) fn end_in<E: Terminal<T>>(&self, end: E) -> Arc<dyn ExecutionPlan> {
        let operator = Fused::operator(self.chain.clone(), end);
        Arc::new(OperatorExec::new(operator, self.origin.inputs.clone(), self.origin.partitions))
    }

    /// Ends the chain with `end` and sends the rows through an exchange.
    pub(crate) fn exchange<E: Terminal<T>>(
        &self,
        end: E,
        movement: kiln_planner::Movement,
        reason: &str,
        site: Site,
    ) -> Arc<dyn ExecutionPlan> {
        let id = self.origin.cx.new_exchange();
        Arc::new(kiln_planner::ExchangeExec::new(id, self.end_in(end), movement, reason, site))
    }
}
