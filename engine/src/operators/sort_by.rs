//! `sort_by`: sorts rows by a computed key.

use kiln_planner::Site;

use super::key_by::KeyBy;
use crate::chain::{Chain, Into1, Into2, Plain, RowFn, SharedRowFn, With};
use crate::dataset::Dataset;
use crate::row::{Key, Row};
use crate::ship::shared::{Param, Shared};

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// Sorts by the result of `key` for each row, ascending. The sort is stable: rows with equal keys
    /// stay in their original order. The key is computed once per row and moves with it.
    ///
    /// For descending order wrap the key, or a part of a tuple, in [`Reverse`](std::cmp::Reverse).
    ///
    /// ```
    /// use std::cmp::Reverse;
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let words = cx.parallelize(["ccc", "a", "bb"].map(String::from));
    /// assert_eq!(words.clone().sort_by(|word| word.len() as u64).collect()?, ["a", "bb", "ccc"]);
    /// assert_eq!(words.sort_by(|word| Reverse(word.len() as u64)).collect()?, ["ccc", "bb", "a"]);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn sort_by<K: Key, F: RowFn<T, K>>(self, key: F) -> Dataset<T> {
        let keyed = self.then::<_, KeyBy<K>>(Plain::new(key, Site::caller()));
        keyed.sort_by_key().map_to::<T>(|(_, row)| row).erase()
    }

    /// `sort_by` with a value from [`Context::share`](crate::Context::share) as the first argument.
    #[track_caller]
    pub fn sort_by_with<P: Param, K: Key, F: SharedRowFn<P, T, K>>(
        self,
        shared: &Shared<P>,
        key: F,
    ) -> Dataset<T> {
        let keyed = self.then::<_, KeyBy<K>>(With::new(shared, key, Site::caller()));
        keyed.sort_by_key().map_to::<T>(|(_, row)| row).erase()
    }

    /// `sort_by` with an explicit key type, so that the key may borrow from the row and comparisons
    /// copy nothing.
    ///
    /// ```
    /// use std::cmp::Reverse;
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let counts = cx.parallelize([("a".to_owned(), 1u64), ("c".to_owned(), 2), ("b".to_owned(), 2)]);
    /// let sorted = counts.sort_by_to::<(Reverse<u64>, String)>(|(word, n)| (Reverse(n), word));
    /// assert_eq!(sorted.keys().collect()?, ["b", "c", "a"]);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn sort_by_to<K: Key>(
        self,
        key: impl for<'a> Into1<T::View<'a>, K::View<'a>> + Send + Sync + 'static,
    ) -> Dataset<T> {
        self.key_by_to::<K>(key).sort_by_key().map_to::<T>(|(_, row)| row).erase()
    }

    /// `sort_by_to` with a value from [`Context::share`](crate::Context::share) as the first argument.
    #[track_caller]
    pub fn sort_by_to_with<K: Key, P: Param>(
        self,
        shared: &Shared<P>,
        key: impl for<'a> Into2<'a, P, T::View<'a>, K::View<'a>> + Send + Sync + 'static,
    ) -> Dataset<T> {
        self.key_by_to_with::<K, P>(shared, key).sort_by_key().map_to::<T>(|(_, row)| row).erase()
    }
}
