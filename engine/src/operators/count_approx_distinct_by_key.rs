//! `count_approx_distinct_by_key`: about how many distinct values each key has.

use kiln_planner::Site;

use crate::aggregate::{CountDistinct, Sketch};
use crate::chain::Chain;
use crate::dataset::Dataset;
use crate::row::{Key, Row};

impl<K: Row, V: Row, C: Chain<Out = (K, V)>> Dataset<(K, V), C> {
    /// Estimates how many distinct values each key has, with a standard error of about
    /// `relative_sd` (0.05 is usual). A key takes a sketch of (1.04 / `relative_sd`)² bytes at most,
    /// however many values it has; only sketches move.
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
    /// An action fails with an error of class config when `relative_sd` is not between 0.001 and 1.
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
            // The rows do not matter: an action fails before it reads any.
            Err(error) => {
                let mut rows = self.map_to::<(K, u64)>(|(key, _)| (key, 0)).erase();
                rows.origin = rows.origin.failing(Some(error));
                rows
            }
        }
    }
}
