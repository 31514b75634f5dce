//! `count_by_key`: counts the pairs of each key.

use kiln_planner::Site;

use crate::aggregate::{Name, NoShared, Reduce};
use crate::chain::Chain;
use crate::dataset::Dataset;
use crate::row::{Key, Row};

impl<K: Row, V: Row, C: Chain<Out = (K, V)>> Dataset<(K, V), C> {
    /// Counts the pairs of each key. The result is a dataset, because there may be many keys.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let mut counts = cx.range(0..5).key_by(|n| n % 2).count_by_key().collect()?;
    /// counts.sort();
    /// assert_eq!(counts, [(0, 3), (1, 2)]);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn count_by_key(self) -> Dataset<(K, u64)>
    where
        K: Key,
    {
        let count = Reduce::new(NoShared, |a: u64, b: u64| a + b, Name::CountByKey, Site::caller());
        self.map_values(|_| 1u64).aggregate_keys(count)
    }
}
