//! `fold`: all rows become one, from a neutral one on.

use kiln_planner::Site;

use super::aggregate::Seq;
use crate::chain::{Chain, FuncInfo, Plain};
use crate::dataset::Dataset;
use crate::error::Result;
use crate::row::Row;
use crate::ship::closure::Closure;
use crate::ship::params::{ParamReader, ParamWriter, Ship};

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
        let fold = Folding(Plain::new(f, Site::caller()));
        self.aggregate_by(zero, fold.clone(), |a, b| (fold.0.code())(a, b))
    }
}

/// A closure of two rows.
struct Folding<F>(Plain<F>);

impl<F> Clone for Folding<F> {
    fn clone(&self) -> Self {
        Folding(self.0.clone())
    }
}

impl<F: Send + Sync + 'static> Ship for Folding<F> {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        self.0.ship(params)
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        Ok(Folding(Plain::rebuild(params)?))
    }
}

impl<F: Send + Sync + 'static> FuncInfo for Folding<F> {
    fn site(&self) -> &Site {
        self.0.site()
    }
    fn describe(&self, operator: &'static str) -> Closure {
        self.0.describe(operator)
    }
}

impl<T: Row, F: Fn(T, T) -> T + Send + Sync + 'static> Seq<T, T> for Folding<F> {
    const NAME: &'static str = "fold";

    #[inline]
    fn add(&self, acc: T, row: T::View<'_>) -> T {
        (self.0.code())(acc, T::own(row))
    }
}
