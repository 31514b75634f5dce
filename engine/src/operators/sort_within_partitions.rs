//! `sort_within_partitions`: sorts the pairs of each partition by key, without an exchange.

use std::sync::Arc;

use kiln_planner::Site;

use super::sort_by_key::SortRows;
use crate::chain::Chain;
use crate::dataset::Dataset;
use crate::plan::OperatorExec;
use crate::row::{Key, Row};

impl<K: Row, V: Row, C: Chain<Out = (K, V)>> Dataset<(K, V), C> {
    /// Sorts each partition by key, ascending, and moves no rows between partitions. The sort is
    /// stable: pairs with equal keys stay in their original order.
    ///
    /// After [`partition_by_fn`](Dataset::partition_by_fn) this is a secondary sort: rows are
    /// partitioned by one part of their key and sorted by the whole key.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// // A user, and when the user did what.
    /// let events = [((1u32, 30u64), 'c'), ((0, 20), 'b'), ((1, 10), 'a')].map(|(key, what)| (key, what as u32));
    /// let by_user = cx.parallelize(events).partition_by_fn(2, |(user, _)| user as usize);
    /// let in_order = by_user.sort_within_partitions();
    /// assert_eq!(in_order.map(|(key, _)| key).collect()?, [(0, 20), (1, 10), (1, 30)]);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn sort_within_partitions(self) -> Dataset<(K, V)>
    where
        K: Key,
    {
        let sort = SortRows::<K, V>::operator("sort_within_partitions", Site::caller());
        let plan = Arc::new(OperatorExec::new(sort, vec![self.to_plan()], self.origin.partitions));
        Dataset::from_plan(plan, self.origin)
    }
}
