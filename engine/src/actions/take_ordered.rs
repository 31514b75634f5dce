//! `take_ordered`: the rows with the smallest keys.

use kiln_planner::Site;

use crate::chain::{Chain, Plain, With};
use crate::dataset::Dataset;
use crate::error::Result;
use crate::row::{IntoRow, Key, Row};
use crate::ship::shared::{Param, Shared};

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// The `n` rows for which `key` is smallest, smallest first; of rows with equal keys those that
    /// come first. Keys are what [`sort_by`](Dataset::sort_by) takes. Each task keeps `n` rows at most. [`top`](Dataset::top) gives the largest.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let words = cx.parallelize(["aa", "b", "cccc"].map(String::from));
    /// assert_eq!(words.take_ordered(2, |word| word.len())?, ["b", "aa"]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Whatever stops the job, with its class and place.
    #[track_caller]
    pub fn take_ordered<O: IntoRow<Row: Key> + 'static, F>(&self, n: usize, key: F) -> Result<Vec<T>>
    where
        F: for<'a> Fn(T::View<'a>) -> O + Send + Sync + 'static,
    {
        self.top_by::<O, _, true>(n, Plain::new(key, Site::caller()))
    }

    /// `take_ordered` with a value from [`Context::share`](crate::Context::share) as the first argument.
    ///
    /// # Errors
    /// Whatever stops the job, with its class and place.
    #[track_caller]
    pub fn take_ordered_with<P: Param, O: IntoRow<Row: Key> + 'static, F>(
        &self,
        shared: &Shared<P>,
        n: usize,
        key: F,
    ) -> Result<Vec<T>>
    where
        F: for<'a> Fn(&'a P, T::View<'a>) -> O + Send + Sync + 'static,
    {
        self.top_by::<O, _, true>(n, With::new(shared, key, Site::caller()))
    }
}
