//! `left_semi_join`: the left pairs whose key is on the right side.

use kiln_planner::Site;

use super::Kind;
use crate::chain::Chain;
use crate::dataset::Dataset;
use crate::row::{Key, Row};

impl<K: Row, V: Row, C: Chain<Out = (K, V)>> Dataset<(K, V), C> {
    /// Keeps the pairs whose key is on the right side, each once. Only the keys of the right side are
    /// shuffled.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let (ages, members) = (cx.parallelize([(1u64, 30u64), (2, 40)]), cx.parallelize([(2u64, 0u8), (2, 1)]));
    /// assert_eq!(ages.left_semi_join(members).collect()?, [(2, 40)]);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn left_semi_join<W: Row, D: Chain<Out = (K, W)>>(self, right: Dataset<(K, W), D>) -> Dataset<(K, V)>
    where
        K: Key,
    {
        self.join_as::<LeftSemi, bool, _>(right.map_values(|_| true), Site::caller())
    }
}

/// Emits left rows with a match.
struct LeftSemi;

impl<K: Row, V: Row> Kind<K, V, bool> for LeftSemi {
    type Out = (K, V);
    const NAME: &'static str = "left_semi_join";
    const ONCE: bool = true;

    #[inline]
    fn pair<'a>(key: K::View<'a>, left: V::View<'a>, _: bool) -> Option<<Self::Out as Row>::View<'a>> {
        Some((key, left))
    }
}
