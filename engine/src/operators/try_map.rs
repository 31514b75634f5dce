//! `try_map`: one row for one row, unless the closure refuses it.

use std::fmt::Display;

use kiln_planner::Site;

use super::fallible::{Accept, Attempt, OnError};
use crate::chain::{Chain, Plain, Sink, With};
use crate::dataset::Dataset;
use crate::row::{IntoRow, Row};
use crate::ship::shared::{Param, Shared};

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// Turns each row into another, or refuses it; `on_error` says what becomes of refused rows.
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
    /// Given by the action: with [`OnError::Fail`] data for the first refused row of a task, with the
    /// record and its place: the file and byte where a source knows it, else the row's number in its
    /// partition, from 1, as this operator sees rows.
    #[track_caller]
    pub fn try_map<R, E, F>(
        self,
        f: F,
        on_error: OnError<'_>,
    ) -> Dataset<R::Row, Attempt<C, Plain<F>, One, R, E>>
    where
        F: for<'a> Fn(T::View<'a>) -> Result<R, E> + Send + Sync + 'static,
        R: IntoRow + 'static,
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
    ) -> Dataset<R::Row, Attempt<C, With<P, F>, One, R, E>>
    where
        F: for<'a> Fn(&'a P, T::View<'a>) -> Result<R, E> + Send + Sync + 'static,
        R: IntoRow + 'static,
        E: Display + 'static,
    {
        let func = With::new(shared, f, Site::caller());
        Dataset::over(Attempt::new(self.chain, func, on_error), self.origin.moved())
    }
}

/// One row for an accepted result.
pub struct One;

impl<R: IntoRow> Accept<R> for One {
    type Out = R::Row;
    const NAME: &'static str = "try_map";

    #[inline]
    fn push<S: Sink<R::Row>>(result: R, sink: &mut S) {
        sink.push(result.as_view());
    }
}
