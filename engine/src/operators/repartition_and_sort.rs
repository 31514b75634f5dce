//! `repartition_and_sort_within_partitions`: partitions pairs by key and sorts each partition.

use std::sync::Arc;

use kiln_planner::Site;

use super::partition_by::Partitioner;
use super::sort_by_key::SortRows;
use crate::chain::Chain;
use crate::dataset::Dataset;
use crate::plan::OperatorExec;
use crate::row::{Key, Row};

impl<K: Row, V: Row, C: Chain<Out = (K, V)>> Dataset<(K, V), C> {
    /// Moves each pair to the partition that `by` assigns to its key, and sorts every partition by key.
    /// This takes one exchange, and no sample with [`Partitioner::Hash`]. With [`Partitioner::Range`]
    /// it is `sort_by_key` with that number of partitions. For custom partitions, for example by a part
    /// of the key, use [`partition_by_fn`](Dataset::partition_by_fn) and then
    /// [`sort_within_partitions`](Dataset::sort_within_partitions).
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// use kiln::Partitioner;
    /// let cx = kiln::Context::local(2);
    /// let pairs = cx.parallelize([(3u64, 'c' as u32), (1, 'a' as u32), (2, 'b' as u32)]);
    /// let sorted = pairs.repartition_and_sort_within_partitions(Partitioner::Hash(1));
    /// assert_eq!(sorted.map(|(k, _)| k).collect()?, [1, 2, 3]);
    /// # Ok(()) }
    /// ```
    ///
    /// An action fails with a config error when the number of partitions is 0.
    #[track_caller]
    pub fn repartition_and_sort_within_partitions(self, by: Partitioner) -> Dataset<(K, V)>
    where
        K: Key,
    {
        let site = Site::caller();
        let name = "repartition_and_sort_within_partitions";
        let (moved, partitions, error) = self.moved_by(by, name, &site);
        let plan =
            Arc::new(OperatorExec::new(SortRows::<K, V>::operator(name, site), vec![moved], partitions));
        let origin = self.origin.failing(error).keeping(partitions);
        match by {
            Partitioner::Hash(_) => Dataset::from_plan(plan, origin.placed_by_key(partitions)),
            Partitioner::Range(_) => Dataset::from_plan(plan, origin),
        }
    }
}
