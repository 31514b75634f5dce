//! `try_for_each`: calls a closure for every row, which may fail. The work is that of `for_each`.

use kiln_planner::Site;

use crate::chain::{Chain, Plain, With};
use crate::dataset::Dataset;
use crate::error::Result;
use crate::row::Row;
use crate::ship::shared::{Param, Shared};

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// Calls `f` for every row, as [`for_each`](Dataset::for_each) does; the first error of a task ends it.
    ///
    /// The class of the error says what becomes of the job: a task that fails with
    /// [`Error::transient`](crate::Error::transient) is run again and calls `f` again for the same rows,
    /// any other class fails the job.
    ///
    /// ```
    /// use kiln::{Class, Error};
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let small = |n: u64| match n {
    ///     0..100 => Ok(()),
    ///     _ => Err(Error::data(format!("{n} is too large"))),
    /// };
    /// cx.range(0..100).try_for_each(small)?;
    /// let error = cx.range(0..101).try_for_each(small).expect_err("there is a large one");
    /// assert_eq!((error.class(), error.message()), (Class::Data, "100 is too large"));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Those of `f` with their class, and the row's place: the file and byte where a source knows it,
    /// else the row's number in its partition, from 1. Else whatever stops the job.
    #[track_caller]
    pub fn try_for_each<F>(&self, f: F) -> Result<()>
    where
        F: for<'a> Fn(T::View<'a>) -> Result<()> + Send + Sync + 'static,
    {
        self.for_each_by(Plain::new(f, Site::caller()))
    }

    /// `try_for_each` with a value from [`Context::share`](crate::Context::share) as the first argument.
    ///
    /// # Errors
    /// Those of [`try_for_each`](Dataset::try_for_each).
    #[track_caller]
    pub fn try_for_each_with<P: Param, F>(&self, shared: &Shared<P>, f: F) -> Result<()>
    where
        F: for<'a> Fn(&'a P, T::View<'a>) -> Result<()> + Send + Sync + 'static,
    {
        self.for_each_by(With::new(shared, f, Site::caller()))
    }
}
