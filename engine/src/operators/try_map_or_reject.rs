//! `try_map_or_reject`: maps each row to one row, and returns the rejected rows as a dataset.

use std::fmt::Display;

use kiln_planner::Site;

use super::rejects::AcceptedAndRejected;
use super::try_map::One;
use crate::chain::{Chain, Plain, With};
use crate::dataset::Dataset;
use crate::row::Row;
use crate::ship::shared::{Param, Shared};

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// Maps each row to another one, or rejects it. The first dataset has the accepted rows, the second
    /// one a [`Reject`](crate::Reject) for each of the other rows.
    ///
    /// Each of the two datasets computes all rows, and calls `f` for each, when an action needs it. If
    /// rows are expensive to compute or to read, call [`cache`](Dataset::cache) first.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(1);
    /// let lines = cx.parallelize(["1", "two"].map(String::from));
    /// let (numbers, rejects) = lines.try_map_or_reject(|line| line.parse::<u64>());
    /// assert_eq!(numbers.collect()?, [1]);
    /// let two = &rejects.collect()?[0];
    /// assert_eq!((&*two.place, &*two.record), ("partition 0, row 2", "two"));
    /// assert_eq!(two.error, "invalid digit found in string");
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn try_map_or_reject<R, E, F>(self, f: F) -> AcceptedAndRejected<R, C, Plain<F>, One<R, E>>
    where
        F: for<'a> Fn(T::View<'a>) -> Result<R, E> + Send + Sync + 'static,
        R: Row,
        E: Display + 'static,
    {
        self.apart(Plain::new(f, Site::caller()))
    }

    /// `try_map_or_reject` with a value from [`Context::share`](crate::Context::share) as the first
    /// argument.
    #[track_caller]
    pub fn try_map_or_reject_with<P: Param, R, E, F>(
        self,
        shared: &Shared<P>,
        f: F,
    ) -> AcceptedAndRejected<R, C, With<P, F>, One<R, E>>
    where
        F: for<'a> Fn(&'a P, T::View<'a>) -> Result<R, E> + Send + Sync + 'static,
        R: Row,
        E: Display + 'static,
    {
        self.apart(With::new(shared, f, Site::caller()))
    }
}
