//! `subtract`: the rows that are not in another dataset.

use crate::chain::Chain;
use crate::dataset::Dataset;
use crate::row::{Key, Row};

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// The rows that are not in `other`. As in Spark's RDDs, a row that occurs twice is kept twice.
    ///
    /// The rows of `other` are held in memory, like the right side of a [`join`](Dataset::join).
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let rest = cx.parallelize([1u64, 2, 1]).subtract(cx.parallelize([2u64, 4]));
    /// assert_eq!(rest.collect()?, [1, 1]);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn subtract<D: Chain<Out = T>>(self, other: Dataset<T, D>) -> Dataset<T>
    where
        T: Key,
    {
        let rows = self.map_to::<(T, bool)>(|row| (row, true));
        let rest = rows.left_anti_join(other.map_to::<(T, bool)>(|row| (row, true)));
        rest.map_to::<T>(|(row, _)| row).erase()
    }
}
