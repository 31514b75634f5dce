//! `full_outer_join`: all pairs of both sides, with their matches or without one.

use kiln_planner::Site;

use super::Kind;
use crate::chain::Chain;
use crate::dataset::Dataset;
use crate::row::{Key, NotNull, Row};

impl<K: Row, V: Row, C: Chain<Out = (K, V)>> Dataset<(K, V), C> {
    /// One row for every two pairs with equal keys, and one row with a `None` for every pair whose key
    /// is missing on the other side.
    ///
    /// Values cannot be `Option`s themselves; see [`left_outer_join`](Dataset::left_outer_join) for a
    /// workaround.
    ///
    /// The right side is held in memory, as for [`join`](Dataset::join).
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let (ages, heights) = (cx.parallelize([(1u64, 30u64)]), cx.parallelize([(3u64, 170u64)]));
    /// let mut rows = ages.full_outer_join(heights).collect()?;
    /// rows.sort();
    /// assert_eq!(rows, [(1, (Some(30), None)), (3, (None, Some(170)))]);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn full_outer_join<W: Row<Nullability: NotNull>, D: Chain<Out = (K, W)>>(
        self,
        right: Dataset<(K, W), D>,
    ) -> Dataset<(K, (Option<V>, Option<W>))>
    where
        K: Key,
        V: Row<Nullability: NotNull>,
    {
        self.join_as::<FullOuter, W, D>(right, Site::caller())
    }
}

/// Emits matches, and unmatched rows of both sides.
struct FullOuter;

impl<K: Row, V: Row<Nullability: NotNull>, W: Row<Nullability: NotNull>> Kind<K, V, W> for FullOuter {
    type Out = (K, (Option<V>, Option<W>));
    const NAME: &'static str = "full_outer_join";
    const LEFT_ALONE: bool = true;
    const RIGHT_ALONE: bool = true;

    #[inline]
    fn pair<'a>(
        key: K::View<'a>,
        left: V::View<'a>,
        right: W::View<'a>,
    ) -> Option<<Self::Out as Row>::View<'a>> {
        Some((key, (Some(left), Some(right))))
    }

    #[inline]
    fn left<'a>(key: K::View<'a>, left: V::View<'a>) -> Option<<Self::Out as Row>::View<'a>> {
        Some((key, (Some(left), None)))
    }

    #[inline]
    fn right<'a>(key: K::View<'a>, right: W::View<'a>) -> Option<<Self::Out as Row>::View<'a>> {
        Some((key, (None, Some(right))))
    }
}
