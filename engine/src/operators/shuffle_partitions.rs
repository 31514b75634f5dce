//! `shuffle_partitions`: an exact number of partitions for the next exchange.

use super::partition_by::at_least_one;
use crate::chain::Chain;
use crate::dataset::Dataset;
use crate::row::Row;

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// Makes the next operator that shuffles or sorts, such as `reduce_by_key`, `join`, `distinct` or
    /// `sort_by`, use exactly `partitions` partitions, like `numPartitions` of Spark's operators. Rows
    /// do not move before that operator. Pairs that are already hash-partitioned into another number
    /// are shuffled again.
    ///
    /// Later operators keep the number, as in Spark, unless another of their inputs has more
    /// partitions. They also keep the number of [`repartition`](Dataset::repartition),
    /// [`coalesce`](Dataset::coalesce), [`partition_by`](Dataset::partition_by) and
    /// [`parallelize_in`](crate::Context::parallelize_in). If two inputs have an exact number, the
    /// larger one is used.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let sums = cx.range(0..100).key_by(|n| n % 10).shuffle_partitions(3).reduce_by_key(|a, b| a + b);
    /// assert_eq!(sums.map_partitions(|_, rows| [rows.count() as u64]).count()?, 3);
    /// # Ok(()) }
    /// ```
    ///
    /// An action fails with a config error when `partitions` is 0.
    pub fn shuffle_partitions(self, partitions: usize) -> Dataset<T, C> {
        let (partitions, error) = at_least_one(partitions, "shuffle_partitions");
        Dataset::over(self.chain, self.origin.exactly(partitions).failing(error))
    }
}
