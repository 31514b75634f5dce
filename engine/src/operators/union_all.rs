//! `union_all`: the rows of many datasets, in one plan node.

use crate::chain::Chain;
use crate::context::Context;
use crate::dataset::{Dataset, Origin};
use crate::plan;
use crate::row::Row;

impl Context {
    /// All rows of all `datasets`, including duplicates: the partitions of the first one, then those of
    /// the next. Without datasets the result is empty.
    ///
    /// The plan has one node for any number of datasets, while a loop of [`union`](Dataset::union)
    /// nests its nodes. To give datasets of different chains the same type, use
    /// [`erase`](Dataset::erase).
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let days = (0..3u64).map(|day| cx.range(10 * day..10 * day + 2));
    /// assert_eq!(cx.union_all(days).collect()?, [0, 1, 10, 11, 20, 21]);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn union_all<T: Row, D: Chain<Out = T>>(
        &self,
        datasets: impl IntoIterator<Item = Dataset<T, D>>,
    ) -> Dataset<T> {
        let datasets: Vec<Dataset<T, D>> = datasets.into_iter().collect();
        // It adds no partition, but it has the context that all other datasets must have.
        let none = self.parallelize([]);
        let origin = none.origin.clone().with_all(datasets.iter().map(|dataset| &dataset.origin));
        if datasets.is_empty() {
            return none.erase();
        }
        match plan::union(datasets.iter().map(Dataset::to_plan).collect()) {
            Ok(plan) => Dataset::from_plan(plan, origin),
            Err(e) => Dataset::from_plan(none.to_plan(), Origin::broken(self, e)),
        }
    }
}
