//! `union`: the rows of two datasets, with duplicates.

use crate::chain::Chain;
use crate::dataset::{Dataset, Origin};
use crate::plan;
use crate::row::Row;

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// All rows of both datasets, including duplicates: the partitions of this dataset, then those of
    /// `other`.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// assert_eq!(cx.range(0..2).union(cx.range(5..6)).collect()?, [0, 1, 5]);
    /// # Ok(()) }
    /// ```
    pub fn union<D: Chain<Out = T>>(self, other: Dataset<T, D>) -> Dataset<T> {
        let origin = self.origin.clone().with(&other.origin).moved();
        match plan::union(vec![self.to_plan(), other.to_plan()]) {
            Ok(plan) => Dataset::from_plan(plan, origin),
            Err(e) => Dataset::from_plan(self.to_plan(), Origin::broken(&origin.cx, e)),
        }
    }
}
