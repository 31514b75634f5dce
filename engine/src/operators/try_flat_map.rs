//! `try_flat_map`: maps each row to any number of rows, with a closure that may reject it.

use std::fmt::Display;
use std::marker::PhantomData;

use kiln_planner::Site;

use super::fallible::{Attempt, Fallible, OnError};
use crate::chain::{Chain, Func, Plain, RowConsumer, With};
use crate::dataset::Dataset;
use crate::row::Row;
use crate::ship::shared::{Param, Shared};

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// Maps each row to the items of an iterator, or rejects it; `on_error` determines what happens to
    /// rejected rows. `Ok(None)` gives no rows and is not an error.
    ///
    /// ```
    /// use kiln::OnError;
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(1);
    /// let lines = cx.parallelize(["# numbers", "1 2", "3"].map(String::from));
    /// let numbers = lines.try_flat_map(
    ///     |line| match line.strip_prefix('#') {
    ///         Some(_) => Ok(Vec::new()),
    ///         None => line.split(' ').map(str::parse::<u64>).collect(),
    ///     },
    ///     OnError::Fail,
    /// );
    /// assert_eq!(numbers.collect()?, [1, 2, 3]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As for [`try_map`](Dataset::try_map).
    #[track_caller]
    pub fn try_flat_map<O: Row, R, E, F>(
        self,
        f: F,
        on_error: OnError<'_>,
    ) -> Dataset<O, Attempt<C, Plain<F>, Many<R, E>>>
    where
        F: for<'a> Fn(T::View<'a>) -> Result<R, E> + Send + Sync + 'static,
        R: IntoIterator<Item = O> + 'static,
        E: Display + 'static,
    {
        let func = Plain::new(f, Site::caller());
        Dataset::over(Attempt::new(self.chain, func, on_error), self.origin.moved())
    }

    /// `try_flat_map` with a value from [`Context::share`](crate::Context::share) as the first
    /// argument.
    #[track_caller]
    pub fn try_flat_map_with<P: Param, O: Row, R, E, F>(
        self,
        shared: &Shared<P>,
        f: F,
        on_error: OnError<'_>,
    ) -> Dataset<O, Attempt<C, With<P, F>, Many<R, E>>>
    where
        F: for<'a> Fn(&'a P, T::View<'a>) -> Result<R, E> + Send + Sync + 'static,
        R: IntoIterator<Item = O> + 'static,
        E: Display + 'static,
    {
        let func = With::new(shared, f, Site::caller());
        Dataset::over(Attempt::new(self.chain, func, on_error), self.origin.moved())
    }
}

/// Pushes the items of an iterator for an accepted row.
pub struct Many<R, E>(PhantomData<fn() -> (R, E)>);

impl<T: Row, G, O: Row, R, E> Fallible<T, G> for Many<R, E>
where
    G: for<'a> Func<'a, T::View<'a>, Out = Result<R, E>>,
    R: IntoIterator<Item = O> + 'static,
    E: Display + 'static,
{
    type Out = O;
    type Reason = E;
    const NAME: &'static str = "try_flat_map";

    #[inline]
    fn push<'a, S: RowConsumer<O>>(func: &'a G, row: T::View<'a>, sink: &mut S) -> Result<(), E> {
        for item in func.call(row)? {
            sink.push(item.view());
        }
        Ok(())
    }
}
