//! `left_outer_join`: all left pairs, with their matches or without one.

use kiln_planner::Site;

use super::Kind;
use crate::chain::Chain;
use crate::dataset::Dataset;
use crate::row::{Key, NotNull, Row};

impl<K: Row, V: Row, C: Chain<Out = (K, V)>> Dataset<(K, V), C> {
    /// One row for every two pairs with equal keys, and one row with a `None` for every left pair whose
    /// key is missing on the right side.
    ///
    /// Values of the right side cannot be `Option`s themselves, because a column cannot distinguish a
    /// value of `None` from a missing match. Wrap them first, as in `map_values(|value| (value,
    /// true))`.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let (ages, heights) = (cx.parallelize([(1u64, 30u64), (2, 40)]), cx.parallelize([(2u64, 180u64)]));
    /// let mut rows = ages.left_outer_join(heights).collect()?;
    /// rows.sort();
    /// assert_eq!(rows, [(1, (30, None)), (2, (40, Some(180)))]);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn left_outer_join<W: Row<Nullability: NotNull>, D: Chain<Out = (K, W)>>(
        self,
        right: Dataset<(K, W), D>,
    ) -> Dataset<(K, (V, Option<W>))>
    where
        K: Key,
    {
        self.join_as::<LeftOuter, W, D>(right, Site::caller())
    }
}

/// Emits matches, and unmatched left rows.
struct LeftOuter;

impl<K: Row, V: Row, W: Row<Nullability: NotNull>> Kind<K, V, W> for LeftOuter {
    type Out = (K, (V, Option<W>));
    const NAME: &'static str = "left_outer_join";
    const LEFT_ALONE: bool = true;

    #[inline]
    fn pair<'a>(
        key: K::View<'a>,
        left: V::View<'a>,
        right: W::View<'a>,
    ) -> Option<<Self::Out as Row>::View<'a>> {
        Some((key, (left, Some(right))))
    }

    #[inline]
    fn left<'a>(key: K::View<'a>, left: V::View<'a>) -> Option<<Self::Out as Row>::View<'a>> {
        Some((key, (left, None)))
    }
}
