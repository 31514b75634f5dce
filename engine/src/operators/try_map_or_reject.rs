//! `try_map_or_reject`: the accepted rows, and the refused ones as a dataset of their own.

use std::fmt::Display;

use kiln_planner::Site;

use super::rejects::AcceptedAndRejected;
use super::try_map::One;
use crate::chain::{Chain, Plain, With};
use crate::dataset::Dataset;
use crate::row::Row;
use crate::ship::shared::{Param, Shared};

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// Turns each row into another, or refuses it: the first dataset holds the rows that were
    /// accepted, the second a [`Reject`](crate::Reject) for each of the others.
    ///
    /// Each of the two goes over all rows when an action needs it, and calls `f` for each. Where
    /// they are dear to compute or to read, [`cache`](Dataset::cache) before.
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
