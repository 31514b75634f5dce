//! `count_approx_distinct_by_key`: estimates the number of distinct values of each key.

use kiln_planner::Site;

use crate::aggregate::{CountDistinct, Sketch};
use crate::chain::Chain;
use crate::dataset::Dataset;
use crate::row::{Key, Row};

impl<K: Row, V: Row, C: Chain<Out = (K, V)>> Dataset<(K, V), C> {
    /// Estimates the number of distinct values of each key, with a standard error of about
    /// `relative_sd` (0.05 is usual). Each key has a sketch of at most 2 · (1.04 / `relative_sd`)²
    /// bytes, however many values it has. Only sketches are shuffled.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let visits = cx.parallelize([(1u64, 7u64), (1, 8), (1, 7), (2, 7)]);
    /// let mut visitors = visits.count_approx_distinct_by_key(0.05).collect()?;
    /// visitors.sort();
    /// assert_eq!(visitors, [(1, 2), (2, 1)]);
    /// # Ok(()) }
    /// ```
    ///
    /// An action fails with a config error when `relative_sd` is not between about 0.00072 and 1.
    #[track_caller]
    pub fn count_approx_distinct_by_key(self, relative_sd: f64) -> Dataset<(K, u64)>
    where
        K: Key,
        V: Key,
    {
        match CountDistinct::<V>::new(relative_sd, Site::caller()) {
            Ok(count) => {
                let sketches = self.aggregate_keys(count);
                sketches.map_values(|sketch| Sketch::own(sketch).estimate()).erase()
            }
            // The rows do not matter, because an action fails before it reads any.
            Err(error) => {
                let mut rows = self.map_to::<(K, u64)>(|(key, _)| (key, 0)).erase();
                rows.origin = rows.origin.failing(Some(error));
                rows
            }
        }
    }
}
