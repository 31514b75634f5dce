//! `right_outer_join`: all right pairs, with their matches or without one.

use kiln_planner::Site;

use super::Kind;
use crate::chain::Chain;
use crate::dataset::Dataset;
use crate::row::{Key, NotNull, Row};

impl<K: Row, V: Row, C: Chain<Out = (K, V)>> Dataset<(K, V), C> {
    /// One row for every two pairs with equal keys, and one row with a `None` for every right pair
    /// whose key is missing on the left side.
    ///
    /// Values of the left side cannot be `Option`s themselves; see
    /// [`left_outer_join`](Dataset::left_outer_join) for a workaround.
    ///
    /// The right side is held in memory, as for [`join`](Dataset::join).
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let (ages, heights) = (cx.parallelize([(2u64, 40u64)]), cx.parallelize([(2u64, 180u64), (3, 170)]));
    /// let mut rows = ages.right_outer_join(heights).collect()?;
    /// rows.sort();
    /// assert_eq!(rows, [(2, (Some(40), 180)), (3, (None, 170))]);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn right_outer_join<W: Row, D: Chain<Out = (K, W)>>(
        self,
        right: Dataset<(K, W), D>,
    ) -> Dataset<(K, (Option<V>, W))>
    where
        K: Key,
        V: Row<Nullability: NotNull>,
    {
        self.join_as::<RightOuter, W, D>(right, Site::caller())
    }
}

/// Emits matches, and unmatched right rows.
struct RightOuter;

impl<K: Row, V: Row<Nullability: NotNull>, W: Row> Kind<K, V, W> for RightOuter {
    type Out = (K, (Option<V>, W));
    const NAME: &'static str = "right_outer_join";
    const RIGHT_ALONE: bool = true;

    #[inline]
    fn pair<'a>(
        key: K::View<'a>,
        left: V::View<'a>,
        right: W::View<'a>,
    ) -> Option<<Self::Out as Row>::View<'a>> {
        Some((key, (Some(left), right)))
    }

    #[inline]
    fn right<'a>(key: K::View<'a>, right: W::View<'a>) -> Option<<Self::Out as Row>::View<'a>> {
        Some((key, (None, right)))
    }
}
