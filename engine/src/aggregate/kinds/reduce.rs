//! Aggregates that combine two values into one of the same type.

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

/// `reduce_by_key`, the operators that count or sum with it, and `fold_by_key`.
pub struct Reduce<V, S, F> {
    shared: S,
    /// Initial value of each key, if any.
    zero: Option<Arc<V>>,
    code: Code<F>,
    name: Name,
    _value: PhantomData<fn() -> V>,
}

impl<V, S, F> Reduce<V, S, F> {
    /// Combines two values with `f`.
    pub fn new(shared: S, f: F, name: Name, site: Site) -> Self {
        Reduce { shared, zero: None, code: Code::new(f, site), name, _value: PhantomData }
    }

    /// Starts each key with `zero`.
    pub fn starting_with(self, zero: V) -> Self {
        Reduce { zero: Some(Arc::new(zero)), ..self }
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
        let value = V::own(value);
        match &self.zero {
            Some(zero) => self.code.call2(&self.shared, V::own(zero.view()), value),
            None => value,
        }
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
        let (shared, zero, code) = (self.shared.clone(), self.zero.clone(), self.code.clone());
        Reduce { shared, zero, code, name: self.name, _value: PhantomData }
    }
}

impl<V: Row, S: Ship, F: Send + Sync + 'static> Ship for Reduce<V, S, F> {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        self.shared.ship(params)?;
        params.put_rows(self.zero.as_deref())?;
        self.code.ship(params)?;
        params.put(&self.name)
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        let (shared, zero) = (S::rebuild(params)?, params.take_rows()?.pop().map(Arc::new));
        let code = Code::rebuild(params)?;
        Ok(Reduce { shared, zero, code, name: params.take()?, _value: PhantomData })
    }
}
