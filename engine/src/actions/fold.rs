//! `fold`: all rows become one, from a neutral one on.

use kiln_planner::Site;

use super::aggregate::Seq;
use super::joining::Joining;
use crate::chain::{Chain, FuncInfo, Plain, With};
use crate::dataset::Dataset;
use crate::error::Result;
use crate::row::Row;
use crate::ship::closure::Closure;
use crate::ship::params::{ParamReader, ParamWriter, Ship};
use crate::ship::shared::{Param, Shared};

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// Reduces all rows to one, from `zero` on, which is the result when there are no rows. `f` must be
    /// associative and `zero` neutral: it is used once per partition. Rows are taken in the order of
    /// the partitions.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// assert_eq!(cx.range(1..6).fold(1, |a, b| a * b)?, 120);
    /// assert_eq!(cx.range(1..6).filter(|n| n > 9).fold(1, |a, b| a * b)?, 1);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Whatever stops the job, with its class and place.
    #[track_caller]
    pub fn fold<F>(&self, zero: T, f: F) -> Result<T>
    where
        F: Fn(T, T) -> T + Send + Sync + 'static,
    {
        self.fold_by(zero, Folding(Plain::new(f, Site::caller())))
    }

    /// `fold` with a value from [`Context::share`](crate::Context::share) as the first argument of `f`.
    ///
    /// # Errors
    /// Whatever stops the job, with its class and place.
    #[track_caller]
    pub fn fold_with<P: Param, F>(&self, shared: &Shared<P>, zero: T, f: F) -> Result<T>
    where
        F: Fn(&P, T, T) -> T + Send + Sync + 'static,
    {
        self.fold_by(zero, Folding(With::new(shared, f, Site::caller())))
    }

    fn fold_by<G: Joining<T>>(&self, zero: T, fold: Folding<G>) -> Result<T> {
        self.aggregate_by(zero, fold.clone(), |a, b| fold.0.join(a, b))
    }
}

/// A closure of two rows as one that takes a row into an accumulator.
#[derive(Clone)]
struct Folding<G>(G);

impl<G: Ship> Ship for Folding<G> {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        self.0.ship(params)
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        Ok(Folding(G::rebuild(params)?))
    }
}

impl<G: FuncInfo> FuncInfo for Folding<G> {
    fn site(&self) -> &Site {
        self.0.site()
    }
    fn describe(&self, operator: &'static str) -> Closure {
        self.0.describe(operator)
    }
}

impl<T: Row, G: Joining<T>> Seq<T, T> for Folding<G> {
    const NAME: &'static str = "fold";

    #[inline]
    fn add(&self, acc: T, row: T::View<'_>) -> T {
        self.0.join(acc, T::own(row))
    }
}
