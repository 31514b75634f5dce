//! `left_outer_join`: every left pair, with its partners or with none.

use kiln_planner::Site;

use super::Kind;
use crate::chain::Chain;
use crate::dataset::Dataset;
use crate::row::{Key, NotNull, Row};

impl<K: Row, V: Row, C: Chain<Out = (K, V)>> Dataset<(K, V), C> {
    /// A row for every two pairs with equal keys, and one with `None` for every left pair whose key
    /// the right side lacks.
    ///
    /// Values of the right side cannot be `Option`s themselves, as a column cannot tell a value that is
    /// `None` from a partner that is not there: wrap them before, as in `map_values(|value| (value, true))`.
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

/// Pairs, and left rows alone.
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
