//! `left_anti_join` and `subtract_by_key`: the left pairs whose key is missing on the right side.

use kiln_planner::Site;

use super::Kind;
use crate::chain::Chain;
use crate::dataset::Dataset;
use crate::row::{Key, Row};

impl<K: Row, V: Row, C: Chain<Out = (K, V)>> Dataset<(K, V), C> {
    /// Keeps the pairs whose key is missing on the right side. Only the keys of the right side are
    /// shuffled.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let (ages, banned) = (cx.parallelize([(1u64, 30u64), (2, 40)]), cx.parallelize([(2u64, 0u8)]));
    /// assert_eq!(ages.left_anti_join(banned).collect()?, [(1, 30)]);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn left_anti_join<W: Row, D: Chain<Out = (K, W)>>(self, right: Dataset<(K, W), D>) -> Dataset<(K, V)>
    where
        K: Key,
    {
        self.join_as::<LeftAnti, bool, _>(right.map_values(|_| true), Site::caller())
    }

    /// [`left_anti_join`](Dataset::left_anti_join) under its name in Spark's RDD API.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let (all, done) = (cx.parallelize([(1u64, 'a' as u32), (2, 'b' as u32)]), cx.parallelize([(1u64, 0u8)]));
    /// assert_eq!(all.subtract_by_key(done).collect()?, [(2, 'b' as u32)]);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn subtract_by_key<W: Row, D: Chain<Out = (K, W)>>(self, other: Dataset<(K, W), D>) -> Dataset<(K, V)>
    where
        K: Key,
    {
        self.left_anti_join(other)
    }
}

/// Emits unmatched left rows.
struct LeftAnti;

impl<K: Row, V: Row> Kind<K, V, bool> for LeftAnti {
    type Out = (K, V);
    const NAME: &'static str = "left_anti_join";
    const ONCE: bool = true;
    const LEFT_ALONE: bool = true;

    #[inline]
    fn pair<'a>(_: K::View<'a>, _: V::View<'a>, _: bool) -> Option<<Self::Out as Row>::View<'a>> {
        None
    }

    #[inline]
    fn left<'a>(key: K::View<'a>, left: V::View<'a>) -> Option<<Self::Out as Row>::View<'a>> {
        Some((key, left))
    }
}
