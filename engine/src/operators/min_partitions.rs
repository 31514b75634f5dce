//! `min_partitions`: how many partitions the exchanges behind a dataset have at least.

use crate::chain::Chain;
use crate::dataset::Dataset;
use crate::row::Row;

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// Has exchanges behind this dataset, of `reduce_by_key`, `join`, `sort_by_key` and the like, make at least so
    /// many partitions.
    ///
    /// Otherwise there is one for every 32 MB that the sources are taken to hold: too few where a chain makes many
    /// rows of little input, or spends much time on each. Nothing moves.
    /// [`shuffle_partitions`](Dataset::shuffle_partitions) gives the next exchange an exact number.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let numbers = cx.parallelize([20_u64, 30]).flat_map(|n| 0..n).key_by(|n| n % 10);
    /// let plan = numbers.min_partitions(8).reduce_by_key(|a, b| a + b).explain()?;
    /// assert!(plan.contains("by hash of the key, 8 partitions"), "{plan}");
    /// # Ok(()) }
    /// ```
    pub fn min_partitions(self, partitions: usize) -> Dataset<T, C> {
        Dataset::over(self.chain, self.origin.at_least(partitions))
    }
}
