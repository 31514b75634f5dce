//! `group_by`: groups the rows that have the same computed key.

use kiln_planner::Site;

use crate::chain::{Chain, Into1, Into2, Plain, RowFn, SharedRowFn, With};
use crate::dataset::Dataset;
use crate::operators::key_by::KeyBy;
use crate::row::{Key, Row};
use crate::ship::shared::{Param, Shared};

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// Groups the rows by the result of `key`. This is `key_by`, then
    /// [`group_by_key`](Dataset::group_by_key), whose advice and limits also apply here.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let words = cx.parallelize(["to", "be", "or", "not"].map(String::from));
    /// let mut groups = words.group_by(|word| word.len() as u64).collect()?;
    /// groups.sort();
    /// assert_eq!(groups[1], (3, vec!["not".to_owned()]));
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn group_by<K: Key, F: RowFn<T, K>>(self, key: F) -> Dataset<(K, Vec<T>)> {
        self.then::<_, KeyBy<K>>(Plain::new(key, Site::caller())).group_by_key()
    }

    /// `group_by` with a value from [`Context::share`](crate::Context::share) as the first argument.
    #[track_caller]
    pub fn group_by_with<P: Param, K: Key, F: SharedRowFn<P, T, K>>(
        self,
        shared: &Shared<P>,
        key: F,
    ) -> Dataset<(K, Vec<T>)> {
        self.then::<_, KeyBy<K>>(With::new(shared, key, Site::caller())).group_by_key()
    }

    /// `group_by` with an explicit key type, so that the key may borrow from the row.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let people = cx.parallelize([("Ada".to_owned(), 36u64), ("Ada".to_owned(), 12)]);
    /// let groups = people.group_by_to::<String>(|(name, _)| name).collect()?;
    /// assert_eq!((groups.len(), groups[0].1.len()), (1, 2));
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn group_by_to<K: Key>(
        self,
        key: impl for<'a> Into1<T::View<'a>, K::View<'a>> + Send + Sync + 'static,
    ) -> Dataset<(K, Vec<T>)> {
        self.key_by_to::<K>(key).group_by_key()
    }

    /// `group_by_to` with a value from [`Context::share`](crate::Context::share) as the first argument.
    #[track_caller]
    pub fn group_by_to_with<K: Key, P: Param>(
        self,
        shared: &Shared<P>,
        key: impl for<'a> Into2<'a, P, T::View<'a>, K::View<'a>> + Send + Sync + 'static,
    ) -> Dataset<(K, Vec<T>)> {
        self.key_by_to_with::<K, P>(shared, key).group_by_key()
    }
}
