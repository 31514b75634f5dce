//! `try_flat_map_or_reject`: maps each row to any number of rows, and returns the rejected rows as a
//! dataset.

use std::fmt::Display;

use kiln_planner::Site;

use super::rejects::AcceptedAndRejected;
use super::try_flat_map::Many;
use crate::chain::{Chain, Plain, With};
use crate::dataset::Dataset;
use crate::row::Row;
use crate::ship::shared::{Param, Shared};

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// Maps each row to the items of an iterator, or rejects it. The first dataset has the items of the
    /// accepted rows, the second one a [`Reject`](crate::Reject) for each of the other rows.
    ///
    /// Each of the two datasets computes all rows, and calls `f` for each, when an action needs it. If
    /// rows are expensive to compute or to read, call [`cache`](Dataset::cache) first.
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
