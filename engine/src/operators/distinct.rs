//! `distinct`: removes duplicate rows.

use kiln_planner::Site;

use crate::aggregate::Seen;
use crate::chain::Chain;
use crate::dataset::Dataset;
use crate::row::{Key, Row};

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// Keeps one of each group of equal rows.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let mut rows = cx.parallelize([3u64, 1, 3]).distinct().collect()?;
    /// rows.sort();
    /// assert_eq!(rows, [1, 3]);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn distinct(self) -> Dataset<T>
    where
        T: Key,
    {
        let site = Site::caller();
        self.map_to::<(T, bool)>(|row| (row, true))
            .aggregate_keys(Seen(site))
            .map_to::<T>(|(row, _)| row)
            .erase()
    }
}
