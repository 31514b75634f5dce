//! Values of one type, two become one.

use std::marker::PhantomData;

use kiln_planner::Site;

use super::calls::Call2;
use super::{Aggregate, Name};
use crate::aggregate::table::Occupied;
use crate::error::Result;
use crate::row::Row;
use crate::ship::closure::{Closure, Code};
use crate::ship::params::{ParamReader, ParamWriter, Ship};

/// `reduce_by_key`, and what counts or sums by it.
pub struct Reduce<V, S, F> {
    shared: S,
    code: Code<F>,
    name: Name,
    _value: PhantomData<fn() -> V>,
}

impl<V, S, F> Reduce<V, S, F> {
    /// Two values become one by `f`.
    pub fn new(shared: S, f: F, name: Name, site: Site) -> Self {
        Reduce { shared, code: Code::new(f, site), name, _value: PhantomData }
    }
}

impl<V, S, F> Aggregate for Reduce<V, S, F>
where
    V: Row,
    S: Ship + Clone + Send + Sync + 'static,
    F: Call2<S, V, V, V> + Send + Sync + 'static,
{
    type Value = V;
    type Acc = V;
    #[inline]
    fn start(&self, value: V::View<'_>) -> V {
        V::own(value)
    }
    #[inline]
    fn add(&self, acc: Occupied<'_, V>, value: V::View<'_>) {
        acc.replace(|old| self.code.call2(&self.shared, old, V::own(value)));
    }
    #[inline]
    fn merge(&self, acc: Occupied<'_, V>, other: V::View<'_>) {
        self.add(acc, other);
    }
    fn closures(&self, closures: &mut Vec<Closure>) {
        closures.push(self.code.describe(self.name.text()));
    }
    fn name(&self) -> (&'static str, &Site) {
        (self.name.text(), &self.code.site)
    }
}

impl<V, S: Clone, F> Clone for Reduce<V, S, F> {
    fn clone(&self) -> Self {
        let (shared, code) = (self.shared.clone(), self.code.clone());
        Reduce { shared, code, name: self.name, _value: PhantomData }
    }
}

impl<V, S: Ship, F: Send + Sync + 'static> Ship for Reduce<V, S, F> {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        self.shared.ship(params)?;
        self.code.ship(params)?;
        params.put(&self.name)
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        let (shared, code) = (S::rebuild(params)?, Code::rebuild(params)?);
        Ok(Reduce { shared, code, name: params.take()?, _value: PhantomData })
    }
}
