//! `intersection`: the rows that are in both of two datasets.

use kiln_planner::Site;

use crate::aggregate::Seen;
use crate::chain::Chain;
use crate::dataset::Dataset;
use crate::row::{Key, Row};

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// The rows that are in both datasets, without duplicates.
    ///
    /// The rows of `other` are held in memory, like the right side of a [`join`](Dataset::join).
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let both = cx.parallelize([1u64, 2, 2, 3]).intersection(cx.parallelize([2u64, 4]));
    /// assert_eq!(both.collect()?, [2]);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn intersection<D: Chain<Out = T>>(self, other: Dataset<T, D>) -> Dataset<T>
    where
        T: Key,
    {
        let distinct = self.map_to::<(T, bool)>(|row| (row, true)).aggregate_keys(Seen(Site::caller()));
        let common = distinct.left_semi_join(other.map_to::<(T, bool)>(|row| (row, true)));
        common.map_to::<T>(|(row, _)| row).erase()
    }
}
