//! `shuffle_partitions`: how many partitions the next exchange makes, exactly.

use super::partition_by::at_least_one;
use crate::chain::Chain;
use crate::dataset::Dataset;
use crate::row::Row;

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// Has the next operator that brings keys together or sorts, such as `reduce_by_key`, `join`, `distinct` and
    /// `sort_by`, make exactly `partitions` partitions: the `numPartitions` of Spark's operators. Rows do not move
    /// before that operator. Pairs that are hash-partitioned into another number already move once more.
    ///
    /// Later operators keep the number, as in Spark, unless they have another input with more partitions. They
    /// keep that of [`repartition`](Dataset::repartition), [`coalesce`](Dataset::coalesce),
    /// [`partition_by`](Dataset::partition_by) and [`parallelize_in`](crate::Context::parallelize_in) as well. Of two
    /// inputs with an exact number the larger one holds.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let sums = cx.range(0..100).key_by(|n| n % 10).shuffle_partitions(3).reduce_by_key(|a, b| a + b);
    /// assert_eq!(sums.map_partitions(|_, rows| [rows.count() as u64]).count()?, 3);
    /// # Ok(()) }
    /// ```
    ///
    /// An action fails with an error of class config when there are no partitions.
    pub fn shuffle_partitions(self, partitions: usize) -> Dataset<T, C> {
        let (partitions, error) = at_least_one(partitions, "shuffle_partitions");
        Dataset::over(self.chain, self.origin.exactly(partitions).failing(error))
    }
}
