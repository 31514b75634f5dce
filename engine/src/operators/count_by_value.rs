//! `count_by_value`: counts how often each row occurs.

use kiln_planner::Site;

use crate::aggregate::{Name, NoShared, Reduce};
use crate::chain::Chain;
use crate::dataset::Dataset;
use crate::row::{Key, Row};

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// Counts how often each row occurs. The result is a dataset, because there may be many distinct
    /// rows.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let mut counts = cx.parallelize([3u64, 1, 3]).count_by_value().collect()?;
    /// counts.sort();
    /// assert_eq!(counts, [(1, 1), (3, 2)]);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn count_by_value(self) -> Dataset<(T, u64)>
    where
        T: Key,
    {
        let count = Reduce::new(NoShared, |a: u64, b: u64| a + b, Name::CountByValue, Site::caller());
        self.map_to::<(T, u64)>(|row| (row, 1)).aggregate_keys(count)
    }
}
