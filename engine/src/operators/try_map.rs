//! `try_map`: maps each row to one row, with a closure that may reject it.

use std::fmt::Display;
use std::marker::PhantomData;

use kiln_planner::Site;

use super::fallible::{Attempt, Fallible, OnError};
use crate::chain::{Chain, Exact, Func, Into1, Into2, Plain, RowConsumer, With};
use crate::dataset::Dataset;
use crate::row::Row;
use crate::ship::shared::{Param, Shared};

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// Maps each row to another one, or rejects it; `on_error` determines what happens to rejected
    /// rows. The result must be owned; for a closure that returns a borrowed result use
    /// [`try_map_to`](Dataset::try_map_to).
    ///
    /// ```
    /// use kiln::OnError;
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(1);
    /// let lines = cx.parallelize(["1", "two", "3"].map(String::from));
    /// let bad_lines = cx.counter("bad lines");
    /// let numbers = lines.try_map(|line| line.parse::<u64>(), OnError::Skip(&bad_lines));
    /// assert_eq!((numbers.collect()?, bad_lines.value()), (vec![1, 3], 1));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// With [`OnError::Fail`], the action fails with a data error for the first rejected row of a task,
    /// or with the class of the closure's [`Error`](crate::Error). A task whose closure returns
    /// [`Error::transient`](crate::Error::transient) is retried, whatever `on_error` is. The error
    /// names the record and its location: the file, with the byte offset in text, the line in CSV and
    /// JSON, or the row in other formats. For rows that are not read from files, it names the row's
    /// number in the partition, counted from 1 at the input of this operator.
    #[track_caller]
    pub fn try_map<R, E, F>(self, f: F, on_error: OnError<'_>) -> Dataset<R, Attempt<C, Plain<F>, One<R, E>>>
    where
        F: for<'a> Fn(T::View<'a>) -> Result<R, E> + Send + Sync + 'static,
        R: Row,
        E: Display + 'static,
    {
        let func = Plain::new(f, Site::caller());
        Dataset::over(Attempt::new(self.chain, func, on_error), self.origin.moved())
    }

    /// `try_map` with a value from [`Context::share`](crate::Context::share) as the first argument.
    #[track_caller]
    pub fn try_map_with<P: Param, R, E, F>(
        self,
        shared: &Shared<P>,
        f: F,
        on_error: OnError<'_>,
    ) -> Dataset<R, Attempt<C, With<P, F>, One<R, E>>>
    where
        F: for<'a> Fn(&'a P, T::View<'a>) -> Result<R, E> + Send + Sync + 'static,
        R: Row,
        E: Display + 'static,
    {
        let func = With::new(shared, f, Site::caller());
        Dataset::over(Attempt::new(self.chain, func, on_error), self.origin.moved())
    }

    /// `try_map` with an explicit row type, so that the closure may return a borrowed result.
    ///
    /// ```
    /// use kiln::OnError;
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(1);
    /// let lines = cx.parallelize(["host=a", "port"].map(String::from));
    /// let broken = cx.counter("broken lines");
    /// let settings = lines.try_map_to::<(String, String), _>(
    ///     |line| line.split_once('=').ok_or("a setting has a `=`"),
    ///     OnError::Skip(&broken),
    /// );
    /// assert_eq!(settings.collect()?, [("host".to_owned(), "a".to_owned())]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As for [`try_map`](Dataset::try_map).
    #[track_caller]
    pub fn try_map_to<O: Row, E: Display + 'static>(
        self,
        f: impl for<'a> Into1<T::View<'a>, Result<O::View<'a>, E>> + Send + Sync + 'static,
        on_error: OnError<'_>,
    ) -> Dataset<O, impl Chain<Out = O>> {
        let func = Exact::<_, Result<O, E>>::new(Plain::new(f, Site::caller()));
        Dataset::over(Attempt::<_, _, OneOf<O, E>>::new(self.chain, func, on_error), self.origin.moved())
    }

    /// `try_map_to` with a value from [`Context::share`](crate::Context::share) as the first argument.
    #[track_caller]
    pub fn try_map_to_with<O: Row, P: Param, E: Display + 'static>(
        self,
        shared: &Shared<P>,
        f: impl for<'a> Into2<'a, P, T::View<'a>, Result<O::View<'a>, E>> + Send + Sync + 'static,
        on_error: OnError<'_>,
    ) -> Dataset<O, impl Chain<Out = O>> {
        let func = Exact::<_, Result<O, E>>::new(With::new(shared, f, Site::caller()));
        Dataset::over(Attempt::<_, _, OneOf<O, E>>::new(self.chain, func, on_error), self.origin.moved())
    }
}

/// Pushes one row for an owned result.
pub struct One<R, E>(PhantomData<fn() -> (R, E)>);

impl<T: Row, G, R, E> Fallible<T, G> for One<R, E>
where
    G: for<'a> Func<'a, T::View<'a>, Out = Result<R, E>>,
    R: Row,
    E: Display + 'static,
{
    type Out = R;
    type Reason = E;
    const NAME: &'static str = "try_map";

    #[inline]
    fn push<'a, S: RowConsumer<R>>(func: &'a G, row: T::View<'a>, sink: &mut S) -> Result<(), E> {
        sink.push(func.call(row)?.view());
        Ok(())
    }
}

/// Pushes one row for a result that is a view of `O`.
struct OneOf<O, E>(PhantomData<fn() -> (O, E)>);

impl<T: Row, G, O: Row, E: Display + 'static> Fallible<T, G> for OneOf<O, E>
where
    G: for<'a> Func<'a, T::View<'a>, Out = Result<O::View<'a>, E>>,
{
    type Out = O;
    type Reason = E;
    const NAME: &'static str = "try_map_to";

    #[inline]
    fn push<'a, S: RowConsumer<O>>(func: &'a G, row: T::View<'a>, sink: &mut S) -> Result<(), E> {
        sink.push(func.call(row)?);
        Ok(())
    }
}
