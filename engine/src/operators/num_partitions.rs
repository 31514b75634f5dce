//! `num_partitions`: the number of partitions of a dataset.

use crate::chain::Chain;
use crate::dataset::Dataset;
use crate::row::Row;

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// The number of partitions, which is the number of tasks that compute these rows. It is known
    /// before anything runs. A source that cannot be read counts as one partition, and the first action
    /// fails with its error.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let rows = cx.parallelize_in(7, 0..100u64);
    /// assert_eq!(rows.num_partitions(), 7);
    /// assert_eq!(rows.coalesce(2).num_partitions(), 2);
    /// # Ok(()) }
    /// ```
    pub fn num_partitions(&self) -> usize {
        self.origin.partitions
    }
}
