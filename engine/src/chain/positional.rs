//! A narrow operator that knows its partition and where in it a row stands: numbering and sampling.
//!
//! Both depend on a row's position alone, so every attempt at a partition, on whichever executor,
//! makes the same rows. An operator whose closure sees the row alone is a [`Then`](super::Then).

use std::marker::PhantomData;

use kiln_planner::Site;

use super::{Chain, RowConsumer, Step};
use crate::error::Result;
use crate::row::Row;
use crate::ship::closure::Closure;
use crate::ship::params::{ParamReader, ParamWriter, Ship};
use crate::task::Task;

/// What such an operator does with the rows of one partition.
pub trait Positional<T: Row>: Ship + Clone + Send + Sync + 'static {
    /// The rows that come out.
    type Out: Row;
    /// What it keeps from one row to the next.
    type State;
    /// The operator, as users call it.
    const NAME: &'static str;

    /// The state before the first row of `partition`.
    fn start(&self, partition: usize) -> Self::State;

    /// Handles the next row.
    fn push<S: RowConsumer<Self::Out>>(&self, state: &mut Self::State, row: T::View<'_>, sink: &mut S);
}

/// The chain `C`, then the operator `N`.
pub struct ThenAt<C, N> {
    chain: C,
    operator: N,
    site: Site,
}

impl<C, N> ThenAt<C, N> {
    /// `chain`, then `operator`, called at `site`.
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

/// The sink that the operator puts in front of the sink below it.
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
