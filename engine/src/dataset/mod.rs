//! What users hold: a typed, lazily evaluated dataset.
//!
//! A [`Dataset`] is a fused chain over the plan nodes that feed it. Narrow operators lengthen the
//! chain and change its type; wide operators end it in a plan node, so that what they return is
//! always `Dataset<T>`, a type that a loop variable or a signature can name. The methods stand in
//! the files of the operators (`operators/`) and actions (`actions/`), one each.

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

/// Rows of type `T`, not computed before an action asks for them.
///
/// Operators take a dataset and give another one; actions borrow it, run a job and give a result or write
/// files. A clone is cheap: it copies the plan and no rows. Each action computes the rows anew, from their
/// sources, unless they were kept by [`cache`](Dataset::cache) or [`persist`](Dataset::persist).
/// Methods with keys (`reduce_by_key`, `join`, …) are those of datasets of pairs, `Dataset<(K, V)>`.
///
/// The second parameter is the fused chain; it defaults to that of a dataset that starts a stage,
/// so `Dataset<T>` is the type to write down:
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
    /// The rows that `chain` makes of those of `origin`.
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
    /// Gives the dataset a type that can be written down: `Dataset<T>`.
    ///
    /// The chain ends here; rows cross to the next one as Arrow batches. Wide operators do this by
    /// themselves.
    pub fn erase(self) -> Dataset<T> {
        let plan = self.to_plan();
        Dataset::from_plan(plan, self.origin)
    }

    /// The stages that an action on this dataset would run, why rows move between them, and the
    /// lines of your program that asked for it. Reads no data. Rows that `persist` keeps are read: the stages
    /// that have computed them are not shown.
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

    /// The chain, then the narrow operator `N`.
    pub(crate) fn then<G, N>(self, func: G) -> Dataset<N::Out, Then<C, G, N>>
    where
        G: FuncInfo,
        N: Narrow<T, G>,
    {
        self.then_unchecked(func)
    }

    /// [`then`](Self::then) whose bounds are left to the next method, so that a closure's result that is no
    /// row is reported at the closure, once.
    pub(crate) fn then_unchecked<R, G, N>(self, func: G) -> Dataset<R, Then<C, G, N>> {
        // A new row may have a new key, so nothing is known of how rows are partitioned.
        Dataset::over(Then::new(self.chain, func), self.origin.moved())
    }

    /// The same, for an operator that leaves the key of every row as it is.
    pub(crate) fn then_keyed_unchecked<R, G, N>(self, func: G) -> Dataset<R, Then<C, G, N>> {
        Dataset::over(Then::new(self.chain, func), self.origin)
    }

    /// The same, checked here.
    pub(crate) fn then_keyed<G, N>(self, func: G) -> Dataset<N::Out, Then<C, G, N>>
    where
        G: FuncInfo,
        N: Narrow<T, G>,
    {
        self.then_keyed_unchecked(func)
    }

    /// The chain, then an operator that goes by where rows stand; rows that it keeps keep their keys.
    pub(crate) fn then_at<N: Positional<T>>(self, operator: N, site: Site) -> Dataset<N::Out, ThenAt<C, N>> {
        Dataset::over(ThenAt::new(self.chain, operator, site), self.origin)
    }

    /// The plan node that gives these rows as columns.
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
