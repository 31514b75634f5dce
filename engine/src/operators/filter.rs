//! `filter`: keeps the rows that satisfy a predicate.

use std::marker::PhantomData;

use kiln_planner::Site;

use crate::chain::{Chain, Func, Narrow, Plain, RowConsumer, Then, With};
use crate::dataset::Dataset;
use crate::row::Row;
use crate::ship::shared::{Param, Shared};

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// Keeps the rows for which `keep` returns true. Rows stay in their partition.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(1);
    /// assert_eq!(cx.range(0..10).filter(|n| n % 4 == 0).collect()?, [0, 4, 8]);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn filter<F>(self, keep: F) -> Dataset<T, Then<C, Plain<F>, Filter<T>>>
    where
        F: for<'a> Fn(T::View<'a>) -> bool + Send + Sync + 'static,
    {
        self.then_keyed(Plain::new(keep, Site::caller()))
    }

    /// `filter` with a value from [`Context::share`](crate::Context::share) as the first argument.
    #[track_caller]
    pub fn filter_with<P: Param, F>(
        self,
        shared: &Shared<P>,
        keep: F,
    ) -> Dataset<T, Then<C, With<P, F>, Filter<T>>>
    where
        F: for<'a> Fn(&'a P, T::View<'a>) -> bool + Send + Sync + 'static,
    {
        self.then_keyed(With::new(shared, keep, Site::caller()))
    }
}

/// Pushes a row or drops it.
pub struct Filter<T>(PhantomData<fn() -> T>);

impl<T: Row, G> Narrow<T, G> for Filter<T>
where
    G: for<'a> Func<'a, T::View<'a>, Out = bool>,
{
    type Out = T;
    const NAME: &'static str = "filter";

    #[inline]
    fn push<'a, S: RowConsumer<T>>(func: &'a G, row: T::View<'a>, sink: &mut S) {
        if func.call(row) {
            sink.push(row);
        }
    }
}
