//! Aggregates whose accumulator is created from the first value.

use std::marker::PhantomData;

use kiln_planner::Site;

use super::calls::{Call1, Call2};
use super::{Aggregate, Name};
use crate::aggregate::table::Occupied;
use crate::error::Result;
use crate::row::Row;
use crate::ship::closure::{Closure, Code};
use crate::ship::params::{ParamReader, ParamWriter, Ship};

/// `combine_by_key`: a closure creates the accumulator from the first value of a key.
pub struct FromFirst<V, A, S, I, F, M> {
    shared: S,
    start: Code<I>,
    add: Code<F>,
    merge: Code<M>,
    _rows: PhantomData<fn() -> (V, A)>,
}

impl<V, A, S, I, F, M> FromFirst<V, A, S, I, F, M> {
    /// Accumulators are created by the closure `start`.
    pub fn new(shared: S, (start, add, merge): (I, F, M), site: Site) -> Self {
        let (start, add) = (Code::new(start, site.clone()), Code::new(add, site.clone()));
        FromFirst { shared, start, add, merge: Code::new(merge, site), _rows: PhantomData }
    }

    fn describe(&self, closures: &mut Vec<Closure>) {
        let name = Name::CombineByKey.text();
        closures.extend([self.start.describe(name), self.add.describe(name), self.merge.describe(name)]);
    }
}

impl<V: Row, A: Row, S, I, F, M> Aggregate for FromFirst<V, A, S, I, F, M>
where
    S: Ship + Clone + Send + Sync + 'static,
    I: for<'v> Call1<S, V::View<'v>, A> + Send + Sync + 'static,
    F: for<'v> Call2<S, A, V::View<'v>, A> + Send + Sync + 'static,
    M: Call2<S, A, A, A> + Send + Sync + 'static,
{
    type Value = V;
    type Acc = A;
    #[inline]
    fn start(&self, value: V::View<'_>) -> A {
        self.start.call1(&self.shared, value)
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
        self.describe(closures);
    }
    fn name(&self) -> (&'static str, &Site) {
        (Name::CombineByKey.text(), &self.add.site)
    }
}

impl<V, A, S: Clone, I, F, M> Clone for FromFirst<V, A, S, I, F, M> {
    fn clone(&self) -> Self {
        FromFirst {
            shared: self.shared.clone(),
            start: self.start.clone(),
            add: self.add.clone(),
            merge: self.merge.clone(),
            _rows: PhantomData,
        }
    }
}

impl<V, A, S: Ship, I, F, M> Ship for FromFirst<V, A, S, I, F, M>
where
    I: Send + Sync + 'static,
    F: Send + Sync + 'static,
    M: Send + Sync + 'static,
{
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        self.shared.ship(params)?;
        self.start.ship(params)?;
        self.add.ship(params)?;
        self.merge.ship(params)
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        let (shared, start) = (S::rebuild(params)?, Code::rebuild(params)?);
        let (add, merge) = (Code::rebuild(params)?, Code::rebuild(params)?);
        Ok(FromFirst { shared, start, add, merge, _rows: PhantomData })
    }
}
