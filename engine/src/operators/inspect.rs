//! `inspect`: calls a closure with each row.

use std::marker::PhantomData;

use kiln_planner::Site;

use crate::chain::{Chain, Func, Narrow, Plain, RowConsumer, Then, With};
use crate::dataset::Dataset;
use crate::row::Row;
use crate::ship::shared::{Param, Shared};

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// Calls `look` with each row and passes the row on unchanged.
    ///
    /// The closure runs in the tasks, also on executors, and runs again for rows that are recomputed.
    /// For exact counts use [`Context::counter`](crate::Context::counter).
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(1);
    /// let rows = cx.range(0..3).inspect(|n| eprintln!("row {n}"));
    /// assert_eq!(rows.collect()?, [0, 1, 2]);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn inspect<F>(self, look: F) -> Dataset<T, Then<C, Plain<F>, Inspect<T>>>
    where
        F: for<'a> Fn(T::View<'a>) + Send + Sync + 'static,
    {
        self.then_keyed(Plain::new(look, Site::caller()))
    }

    /// `inspect` with a value from [`Context::share`](crate::Context::share) as the first argument.
    #[track_caller]
    pub fn inspect_with<P: Param, F>(
        self,
        shared: &Shared<P>,
        look: F,
    ) -> Dataset<T, Then<C, With<P, F>, Inspect<T>>>
    where
        F: for<'a> Fn(&'a P, T::View<'a>) + Send + Sync + 'static,
    {
        self.then_keyed(With::new(shared, look, Site::caller()))
    }
}

/// Pushes each row unchanged.
pub struct Inspect<T>(PhantomData<fn() -> T>);

impl<T: Row, G> Narrow<T, G> for Inspect<T>
where
    G: for<'a> Func<'a, T::View<'a>, Out = ()>,
{
    type Out = T;
    const NAME: &'static str = "inspect";

    #[inline]
    fn push<'a, S: RowConsumer<T>>(func: &'a G, row: T::View<'a>, sink: &mut S) {
        func.call(row);
        sink.push(row);
    }
}
