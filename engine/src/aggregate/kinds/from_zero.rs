//! Aggregates whose accumulator starts as a given row.

use std::marker::PhantomData;
use std::sync::Arc;

use kiln_planner::Site;

use super::calls::Call2;
use super::{Aggregate, Name};
use crate::aggregate::table::Occupied;
use crate::error::Result;
use crate::row::Row;
use crate::ship::closure::{Closure, Code};
use crate::ship::params::{ParamReader, ParamWriter, Ship};

/// `aggregate_by_key`: accumulators start as `zero`, closures return the next one.
pub struct FromZero<V, A, S, F, M> {
    shared: S,
    zero: Arc<A>,
    add: Code<F>,
    merge: Code<M>,
    _value: PhantomData<fn() -> V>,
}

impl<V, A, S, F, M> FromZero<V, A, S, F, M> {
    /// Accumulators start as `zero`.
    pub fn new(shared: S, zero: A, add: F, merge: M, site: Site) -> Self {
        let (add, merge) = (Code::new(add, site.clone()), Code::new(merge, site));
        FromZero { shared, zero: Arc::new(zero), add, merge, _value: PhantomData }
    }
}

impl<V: Row, A: Row, S, F, M> Aggregate for FromZero<V, A, S, F, M>
where
    S: Ship + Clone + Send + Sync + 'static,
    F: for<'v> Call2<S, A, V::View<'v>, A> + Send + Sync + 'static,
    M: Call2<S, A, A, A> + Send + Sync + 'static,
{
    type Value = V;
    type Acc = A;
    #[inline]
    fn start(&self, value: V::View<'_>) -> A {
        self.add.call2(&self.shared, A::own(self.zero.view()), value)
    }
    #[inline]
    fn add(&self, acc: Occupied<'_, A>, value: V::View<'_>) {
        acc.replace(|old| self.add.call2(&self.shared, old, value));
    }
    #[inline]
    fn merge(&self, acc: Occupied<'_, A>, other: A::View<'_>) {
        acc.replace(|old| self.merge.call2(&self.shared, old, A::own(other)));
    }
    fn closures(&self, closures: &mut Vec<Closure>) {
        let name = Name::AggregateByKey.text();
        closures.extend([self.add.describe(name), self.merge.describe(name)]);
    }
    fn name(&self) -> (&'static str, &Site) {
        (Name::AggregateByKey.text(), &self.add.site)
    }
}

impl<V, A, S: Clone, F, M> Clone for FromZero<V, A, S, F, M> {
    fn clone(&self) -> Self {
        let (shared, zero) = (self.shared.clone(), Arc::clone(&self.zero));
        FromZero { shared, zero, add: self.add.clone(), merge: self.merge.clone(), _value: PhantomData }
    }
}

impl<V, A: Row, S: Ship, F: Send + Sync + 'static, M: Send + Sync + 'static> Ship
    for FromZero<V, A, S, F, M>
{
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        self.shared.ship(params)?;
        params.put_rows([&*self.zero])?;
        self.add.ship(params)?;
        self.merge.ship(params)
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        let (shared, zero) = (S::rebuild(params)?, Arc::new(params.take_row()?));
        let (add, merge) = (Code::rebuild(params)?, Code::rebuild(params)?);
        Ok(FromZero { shared, zero, add, merge, _value: PhantomData })
    }
}
