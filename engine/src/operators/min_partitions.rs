//! `min_partitions`: a minimum for the number of partitions after later exchanges.

use crate::chain::Chain;
use crate::dataset::Dataset;
use crate::row::Row;

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// Makes the exchanges downstream of this dataset, those of `reduce_by_key`, `join`, `sort_by_key`
    /// and so on, use at least `partitions` partitions.
    ///
    /// By default there is one partition for every 32 MB of estimated source size. That is too few if a
    /// chain makes many rows of little input, or spends much time on each row. No rows move.
    /// [`shuffle_partitions`](Dataset::shuffle_partitions) sets an exact number for the next exchange.
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
