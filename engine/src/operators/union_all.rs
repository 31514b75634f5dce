//! `union_all`: the rows of many datasets, in one plan node.

use crate::chain::Chain;
use crate::context::Context;
use crate::dataset::{Dataset, Origin};
use crate::plan;
use crate::row::Row;

impl Context {
    /// All rows of all `datasets`, duplicates included: first the partitions of the first one, then those
    /// of the next. Without datasets there are no rows.
    ///
    /// However many there are, the plan has one node for them; a loop of [`union`](Dataset::union) nests one in
    /// another. Datasets of different chains are given one type by [`erase`](Dataset::erase).
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
        // It has no partition to give, but the context that all others must have.
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
