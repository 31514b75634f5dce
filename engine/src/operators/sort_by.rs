//! `sort_by`: rows in the order of a key that is computed for each.

use kiln_planner::Site;

use super::key_by::KeyBy;
use crate::chain::{Chain, Plain, With};
use crate::dataset::Dataset;
use crate::row::{IntoRow, Key, Row};
use crate::ship::shared::{Param, Shared};

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// Sorts by what `key` gives for each row, ascending; rows with equal keys stay in the order in
    /// which they were. The key is computed once for each row, and moves with it.
    ///
    /// What is to be in descending order is wrapped in [`Reverse`](std::cmp::Reverse), also as a part of a
    /// tuple.
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
    pub fn sort_by<R: IntoRow, F>(self, key: F) -> Dataset<T>
    where
        R::Row: Key,
        F: for<'a> Fn(T::View<'a>) -> R + Send + Sync + 'static,
    {
        let keyed = self.then::<_, KeyBy<R::Row>>(Plain::new(key, Site::caller()));
        keyed.sort_by_key().map_to::<T>(|(_, row)| row).erase()
    }

    /// `sort_by` with a value from [`Context::share`](crate::Context::share) as the first argument.
    #[track_caller]
    pub fn sort_by_with<P: Param, R: IntoRow, F>(self, shared: &Shared<P>, key: F) -> Dataset<T>
    where
        R::Row: Key,
        F: for<'a> Fn(&'a P, T::View<'a>) -> R + Send + Sync + 'static,
    {
        let keyed = self.then::<_, KeyBy<R::Row>>(With::new(shared, key, Site::caller()));
        keyed.sort_by_key().map_to::<T>(|(_, row)| row).erase()
    }
}
