//! `min_by_key`: the row with the smallest key.

use kiln_planner::Site;

use crate::chain::{Chain, Exact, Into1, Into2, Plain, With};
use crate::dataset::Dataset;
use crate::error::Result;
use crate::row::{Key, Row};
use crate::ship::shared::{Param, Shared};

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// The row for which `key` is smallest, or none if there are no rows; of rows with equal keys the first,
    /// as [`Iterator::min_by_key`] has it.
    ///
    /// The key is owned; a closure that returns what it borrows goes to
    /// [`min_by_key_to`](Dataset::min_by_key_to). NaN is larger than all other floats.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let words = cx.parallelize(["brick", "kiln", "oven"].map(String::from));
    /// assert_eq!(words.min_by_key(|word| word.len())?, Some("kiln".to_owned()));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Whatever stops the job, with its class and place.
    #[track_caller]
    pub fn min_by_key<K: Key, F>(&self, key: F) -> Result<Option<T>>
    where
        F: for<'a> Fn(T::View<'a>) -> K + Send + Sync + 'static,
    {
        self.extreme_by::<K, _, false>(Plain::new(key, Site::caller()))
    }

    /// `min_by_key` with a value from [`Context::share`](crate::Context::share) as the first argument.
    ///
    /// # Errors
    /// Whatever stops the job, with its class and place.
    #[track_caller]
    pub fn min_by_key_with<P: Param, K: Key, F>(&self, shared: &Shared<P>, key: F) -> Result<Option<T>>
    where
        F: for<'a> Fn(&'a P, T::View<'a>) -> K + Send + Sync + 'static,
    {
        self.extreme_by::<K, _, false>(With::new(shared, key, Site::caller()))
    }

    /// `min_by_key` by a key type that is named, so that a closure may return what it borrows.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let words = cx.parallelize(["oven b", "kiln a"].map(String::from));
    /// let first = words.min_by_key_to::<String>(|line| line.rsplit(' ').next().unwrap_or(""))?;
    /// assert_eq!(first, Some("kiln a".to_owned()));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Whatever stops the job, with its class and place.
    #[track_caller]
    pub fn min_by_key_to<K: Key>(
        &self,
        key: impl for<'a> Into1<T::View<'a>, K::View<'a>> + Send + Sync + 'static,
    ) -> Result<Option<T>> {
        self.extreme_by::<K, _, false>(Exact::<_, K>::new(Plain::new(key, Site::caller())))
    }

    /// `min_by_key_to` with a value from [`Context::share`](crate::Context::share) as the first argument.
    ///
    /// # Errors
    /// Whatever stops the job, with its class and place.
    #[track_caller]
    pub fn min_by_key_to_with<K: Key, P: Param>(
        &self,
        shared: &Shared<P>,
        key: impl for<'a> Into2<'a, P, T::View<'a>, K::View<'a>> + Send + Sync + 'static,
    ) -> Result<Option<T>> {
        self.extreme_by::<K, _, false>(Exact::<_, K>::new(With::new(shared, key, Site::caller())))
    }
}
