//! `join`: the pairs of two datasets with equal keys.

use kiln_planner::Site;

use super::Kind;
use crate::chain::Chain;
use crate::dataset::Dataset;
use crate::row::{Key, Row};

impl<K: Row, V: Row, C: Chain<Out = (K, V)>> Dataset<(K, V), C> {
    /// Inner join: one row for every two pairs with equal keys. A side that is already hash-partitioned
    /// by key, after `reduce_by_key` or another join, is not shuffled again.
    ///
    /// The right side is held in memory, one partition per task, so put the smaller dataset there. If a
    /// partition does not fit, it is joined in several passes over both sides.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let (ages, cities) = (cx.parallelize([(1u64, 30u64), (2, 40)]), cx.parallelize([(2u64, "Seoul".to_owned())]));
    /// assert_eq!(ages.join(cities).collect()?, [(2, (40, "Seoul".to_owned()))]);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn join<W: Row, D: Chain<Out = (K, W)>>(self, right: Dataset<(K, W), D>) -> Dataset<(K, (V, W))>
    where
        K: Key,
    {
        self.join_as::<Inner, W, D>(right, Site::caller())
    }
}

/// Emits matches only.
struct Inner;

impl<K: Row, V: Row, W: Row> Kind<K, V, W> for Inner {
    type Out = (K, (V, W));
    const NAME: &'static str = "join";

    #[inline]
    fn pair<'a>(
        key: K::View<'a>,
        left: V::View<'a>,
        right: W::View<'a>,
    ) -> Option<<Self::Out as Row>::View<'a>> {
        Some((key, (left, right)))
    }
}
