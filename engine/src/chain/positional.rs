//! Narrow operators that depend on the partition and a row's position in it: numbering and sampling.
//!
//! They depend only on positions, so every attempt of a partition, on any executor, outputs the same
//! rows. An operator whose closure only sees the row is a [`Then`](super::Then).

use std::marker::PhantomData;

use kiln_planner::Site;

use super::{Chain, RowConsumer, Step};
use crate::error::Result;
use crate::row::Row;
use crate::ship::closure::Closure;
use crate::ship::params::{ParamReader, ParamWriter, Ship};
use crate::task::Task;

/// How an operator processes the rows of one partition.
pub trait Positional<T: Row>: Ship + Clone + Send + Sync + 'static {
    /// The row type of the output.
    type Out: Row;
    /// State that is kept from row to row.
    type State;
    /// Name of the operator's method.
    const NAME: &'static str;

    /// The state before the first row of `partition`.
    fn start(&self, partition: usize) -> Self::State;

    /// Processes the next row.
    fn push<S: RowConsumer<Self::Out>>(&self, state: &mut Self::State, row: T::View<'_>, sink: &mut S);
}

/// The chain `C`, followed by the operator `N`.
pub struct ThenAt<C, N> {
    chain: C,
    operator: N,
    site: Site,
}

impl<C, N> ThenAt<C, N> {
    /// Appends `operator`, called at `site`, to `chain`.
    pub fn new(chain: C, operator: N, site: Site) -> Self {
        ThenAt { chain, operator, site }
    }
}

impl<C: Clone, N: Clone> Clone for ThenAt<C, N> {
    fn clone(&self) -> Self {
        ThenAt::new(self.chain.clone(), self.operator.clone(), self.site.clone())
    }
}

impl<C: Ship, N: Ship> Ship for ThenAt<C, N> {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        self.chain.ship(params)?;
        self.operator.ship(params)?;
        params.put(&self.site)
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        let (chain, operator) = (C::rebuild(params)?, N::rebuild(params)?);
        Ok(ThenAt::new(chain, operator, params.take()?))
    }
}

impl<C: Chain, N: Positional<C::Out>> Chain for ThenAt<C, N> {
    type Out = N::Out;

    #[inline]
    fn drive<S: RowConsumer<N::Out>>(&self, task: &Task<'_>, sink: &mut S) -> Result<()> {
        let state = self.operator.start(task.partition);
        self.chain.drive(task, &mut At { operator: &self.operator, state, sink, _row: PhantomData })
    }

    fn steps(&self, steps: &mut Vec<Step>) {
        self.chain.steps(steps);
        steps.push(Step::new(N::NAME, &self.site));
    }

    fn closures(&self, closures: &mut Vec<Closure>) {
        self.chain.closures(closures);
    }

    fn source_bytes(&self) -> u64 {
        self.chain.source_bytes()
    }
}

/// The sink in front of the next one: it applies the operator.
struct At<'s, T: Row, N: Positional<T>, S> {
    operator: &'s N,
    state: N::State,
    sink: &'s mut S,
    _row: PhantomData<fn(T)>,
}

impl<T: Row, N: Positional<T>, S: RowConsumer<N::Out>> RowConsumer<T> for At<'_, T, N, S> {
    #[inline]
    fn push(&mut self, row: T::View<'_>) {
        self.operator.push(&mut self.state, row, self.sink);
    }

    #[inline]
    fn is_full(&self) -> bool {
        self.sink.is_full()
    }
}
