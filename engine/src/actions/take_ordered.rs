//! `take_ordered`: the rows with the smallest keys.

use kiln_planner::Site;

use crate::chain::{Chain, Exact, Into1, Into2, Plain, RowFn, SharedRowFn, With};
use crate::dataset::Dataset;
use crate::error::Result;
use crate::row::{Key, Row};
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
    pub fn take_ordered<K: Key, F: RowFn<T, K>>(&self, n: usize, key: F) -> Result<Vec<T>> {
        self.top_by::<K, _, true>(n, Plain::new(key, Site::caller()))
    }

    /// `take_ordered` with a value from [`Context::share`](crate::Context::share) as the first argument.
    ///
    /// # Errors
    /// Whatever stops the job, with its class and place.
    #[track_caller]
    pub fn take_ordered_with<P: Param, K: Key, F: SharedRowFn<P, T, K>>(
        &self,
        shared: &Shared<P>,
        n: usize,
        key: F,
    ) -> Result<Vec<T>> {
        self.top_by::<K, _, true>(n, With::new(shared, key, Site::caller()))
    }

    /// `take_ordered` with a key type that is named, so that the key may borrow from the row.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let counts = cx.parallelize([("b".to_owned(), 1u64), ("a".to_owned(), 2)]);
    /// assert_eq!(counts.take_ordered_to::<String>(1, |row| row.0)?, [("a".to_owned(), 2)]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Whatever stops the job, with its class and place.
    #[track_caller]
    pub fn take_ordered_to<K: Key>(
        &self,
        n: usize,
        key: impl for<'a> Into1<T::View<'a>, K::View<'a>> + Send + Sync + 'static,
    ) -> Result<Vec<T>> {
        self.top_by::<K, _, true>(n, Exact::<_, K>::new(Plain::new(key, Site::caller())))
    }

    /// `take_ordered_to` with a value from [`Context::share`](crate::Context::share) as the first argument.
    ///
    /// # Errors
    /// Whatever stops the job, with its class and place.
    #[track_caller]
    pub fn take_ordered_to_with<K: Key, P: Param>(
        &self,
        shared: &Shared<P>,
        n: usize,
        key: impl for<'a> Into2<'a, P, T::View<'a>, K::View<'a>> + Send + Sync + 'static,
    ) -> Result<Vec<T>> {
        self.top_by::<K, _, true>(n, Exact::<_, K>::new(With::new(shared, key, Site::caller())))
    }
}
