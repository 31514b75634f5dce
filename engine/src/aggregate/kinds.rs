//! What is done with the values of one key.

use std::marker::PhantomData;

use kiln_planner::Site;

use super::table::replace;
use crate::error::Result;
use crate::row::Row;
use crate::ship::closure::{Closure, Code};
use crate::ship::params::{ParamReader, ParamWriter, Ship};

/// Folds values into an accumulator, and accumulators into each other.
pub trait Aggregate: Ship + Clone + Send + Sync + 'static {
    /// A value.
    type Value: Row;
    /// What becomes of the values of one key; it crosses the exchange.
    type Acc: Row;

    /// The accumulator of a first value.
    fn start(&self, value: <Self::Value as Row>::View<'_>) -> Self::Acc;

    /// Adds a value.
    fn add(&self, acc: &mut Self::Acc, value: <Self::Value as Row>::View<'_>);

    /// Adds another task's accumulator.
    fn merge(&self, acc: &mut Self::Acc, other: <Self::Acc as Row>::View<'_>);

    /// Lists its closures.
    fn closures(&self, closures: &mut Vec<Closure>);

    /// The operator's name and the user's line.
    fn name(&self) -> (&'static str, &Site);
}

/// `reduce_by_key`: values of one type, two become one.
pub struct Reduce<V, F> {
    code: Code<F>,
    name: Name,
    _value: PhantomData<fn() -> V>,
}

/// `fold_by_key`: values into an accumulator of another type.
pub struct Fold<V, A, I, F, M> {
    init: Code<I>,
    fold: Code<F>,
    merge: Code<M>,
    _rows: PhantomData<fn() -> (V, A)>,
}

/// `distinct`: only whether a key was there.
#[derive(Clone)]
pub struct Seen(pub Site);

/// Operators that are a `reduce_by_key` underneath go by their own name.
#[derive(Clone, Copy, serde::Serialize, serde::Deserialize)]
pub enum Name {
    /// The user called `reduce_by_key`.
    ReduceByKey,
    /// The user called `count_by_value`.
    CountByValue,
}

impl<V, F> Reduce<V, F> {
    /// Two values become one by `f`.
    pub fn new(f: F, name: Name, site: Site) -> Self {
        Reduce { code: Code::new(f, site), name, _value: PhantomData }
    }
}

impl<V, A, I, F, M> Fold<V, A, I, F, M> {
    /// Accumulators start as `init` gives them.
    pub fn new(init: I, fold: F, merge: M, site: Site) -> Self {
        let (init, fold) = (Code::new(init, site.clone()), Code::new(fold, site.clone()));
        Fold { init, fold, merge: Code::new(merge, site), _rows: PhantomData }
    }
}

impl<V: Row, F: Fn(V, V) -> V + Send + Sync + 'static> Aggregate for Reduce<V, F> {
    type Value = V;
    type Acc = V;
    #[inline]
    fn start(&self, value: V::View<'_>) -> V {
        V::own(value)
    }
    #[inline]
    fn add(&self, acc: &mut V, value: V::View<'_>) {
        replace(acc, |old| (*self.code)(old, V::own(value)));
    }
    #[inline]
    fn merge(&self, acc: &mut V, other: V::View<'_>) {
        self.add(acc, other);
    }
    fn closures(&self, closures: &mut Vec<Closure>) {
        closures.push(self.code.describe(self.name().0));
    }
    fn name(&self) -> (&'static str, &Site) {
        let name = match self.name {
            Name::ReduceByKey => "reduce_by_key",
            Name::CountByValue => "count_by_value",
        };
        (name, &self.code.site)
    }
}

impl<V: Row, A: Row, I, F, M> Aggregate for Fold<V, A, I, F, M>
where
    I: Fn() -> A + Send + Sync + 'static,
    F: for<'a> Fn(&mut A, V::View<'a>) + Send + Sync + 'static,
    M: Fn(&mut A, A) + Send + Sync + 'static,
{
    type Value = V;
    type Acc = A;
    #[inline]
    fn start(&self, value: V::View<'_>) -> A {
        let mut acc = (*self.init)();
        (*self.fold)(&mut acc, value);
        acc
    }
    #[inline]
    fn add(&self, acc: &mut A, value: V::View<'_>) {
        (*self.fold)(acc, value);
    }
    #[inline]
    fn merge(&self, acc: &mut A, other: A::View<'_>) {
        (*self.merge)(acc, A::own(other));
    }
    fn closures(&self, closures: &mut Vec<Closure>) {
        closures.extend([
            self.init.describe("fold_by_key"),
            self.fold.describe("fold_by_key"),
            self.merge.describe("fold_by_key"),
        ]);
    }
    fn name(&self) -> (&'static str, &Site) {
        ("fold_by_key", &self.fold.site)
    }
}

impl Aggregate for Seen {
    type Value = bool;
    type Acc = bool;
    fn start(&self, _: bool) -> bool {
        true
    }
    fn add(&self, _: &mut bool, _: bool) {}
    fn merge(&self, _: &mut bool, _: bool) {}
    fn closures(&self, _: &mut Vec<Closure>) {}
    fn name(&self) -> (&'static str, &Site) {
        ("distinct", &self.0)
    }
}

impl<V, F> Clone for Reduce<V, F> {
    fn clone(&self) -> Self {
        Reduce { code: self.code.clone(), name: self.name, _value: PhantomData }
    }
}

impl<V, A, I, F, M> Clone for Fold<V, A, I, F, M> {
    fn clone(&self) -> Self {
        let (init, fold) = (self.init.clone(), self.fold.clone());
        Fold { init, fold, merge: self.merge.clone(), _rows: PhantomData }
    }
}

impl<V, F: Send + Sync + 'static> Ship for Reduce<V, F> {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        self.code.ship(params)?;
        params.put(&self.name)
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        Ok(Reduce { code: Code::rebuild(params)?, name: params.take()?, _value: PhantomData })
    }
}

impl<V, A, I, F, M> Ship for Fold<V, A, I, F, M>
where
    I: Send + Sync + 'static,
    F: Send + Sync + 'static,
    M: Send + Sync + 'static,
{
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        self.init.ship(params)?;
        self.fold.ship(params)?;
        self.merge.ship(params)
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        let (init, fold) = (Code::rebuild(params)?, Code::rebuild(params)?);
        Ok(Fold { init, fold, merge: Code::rebuild(params)?, _rows: PhantomData })
    }
}

impl Ship for Seen {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        params.put(&self.0)
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        Ok(Seen(params.take()?))
    }
}
