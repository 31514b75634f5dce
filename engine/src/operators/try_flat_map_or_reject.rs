//! `try_flat_map_or_reject`: any number of rows for one row, and the refused rows as a dataset of their own.

use std::fmt::Display;

use kiln_planner::Site;

use super::rejects::AcceptedAndRejected;
use super::try_flat_map::Many;
use crate::chain::{Chain, Plain, With};
use crate::dataset::Dataset;
use crate::row::Row;
use crate::ship::shared::{Param, Shared};

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// Turns each row into the items of an iterator, or refuses it: the first dataset holds the items of
    /// the rows that were accepted, the second a [`Reject`](crate::Reject) for each of the others.
    ///
    /// Each of the two goes over all rows when an action needs it, and calls `f` for each. Where
    /// they are dear to compute or to read, [`cache`](Dataset::cache) before.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(1);
    /// let lines = cx.parallelize(["1 2", "3 four"].map(String::from));
    /// let parse = |line: &str| line.split(' ').map(str::parse::<u64>).collect::<Result<Vec<_>, _>>();
    /// let (numbers, rejects) = lines.try_flat_map_or_reject(parse);
    /// assert_eq!(numbers.collect()?, [1, 2]);
    /// assert_eq!(rejects.collect()?[0].record, "3 four");
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn try_flat_map_or_reject<O: Row, R, E, F>(
        self,
        f: F,
    ) -> AcceptedAndRejected<O, C, Plain<F>, Many<R, E>>
    where
        F: for<'a> Fn(T::View<'a>) -> Result<R, E> + Send + Sync + 'static,
        R: IntoIterator<Item = O> + 'static,
        E: Display + 'static,
    {
        self.apart(Plain::new(f, Site::caller()))
    }

    /// `try_flat_map_or_reject` with a value from [`Context::share`](crate::Context::share) as the first
    /// argument.
    #[track_caller]
    pub fn try_flat_map_or_reject_with<P: Param, O: Row, R, E, F>(
        self,
        shared: &Shared<P>,
        f: F,
    ) -> AcceptedAndRejected<O, C, With<P, F>, Many<R, E>>
    where
        F: for<'a> Fn(&'a P, T::View<'a>) -> Result<R, E> + Send + Sync + 'static,
        R: IntoIterator<Item = O> + 'static,
        E: Display + 'static,
    {
        self.apart(With::new(shared, f, Site::caller()))
    }
}
