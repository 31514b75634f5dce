//! `for_each_partition`: calls a closure for the rows of every partition, where they are.

use crate::chain::Chain;
use crate::dataset::Dataset;
use crate::error::Result;
use crate::operators::PartitionRows;
use crate::row::Row;
use crate::ship::shared::{Param, Shared};

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// Calls `f` once per partition, with the partition's number and an iterator over its rows, in the
    /// process that computes them: for effects that need something set up once for many rows, such as
    /// a connection. Nothing comes back. Rows arrive as in [`map_partitions`](Dataset::map_partitions).
    ///
    /// A task that is run again, because its executor was lost, calls `f` again for the same partition.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// use std::sync::atomic::{AtomicU64, Ordering};
    /// static LARGEST: AtomicU64 = AtomicU64::new(0);
    /// let cx = kiln::Context::local(2);
    /// cx.parallelize_in(2, 0..10u64).for_each_partition(|_, rows| {
    ///     LARGEST.fetch_max(rows.sum(), Ordering::Relaxed);
    /// })?;
    /// assert_eq!(LARGEST.load(Ordering::Relaxed), 35);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Whatever stops the job, with its class and place.
    #[track_caller]
    pub fn for_each_partition<F>(&self, f: F) -> Result<()>
    where
        F: Fn(usize, PartitionRows<T>) + Send + Sync + 'static,
    {
        // What this closure captures is `f`, so it is as large as `f`, and nothing if `f` is.
        let none = move |index, rows| {
            f(index, rows);
            None::<bool>
        };
        self.clone().map_partitions(none).for_each(|_| {})
    }

    /// `for_each_partition` with a value from [`Context::share`](crate::Context::share) as the first
    /// argument.
    ///
    /// # Errors
    /// Whatever stops the job, with its class and place.
    #[track_caller]
    pub fn for_each_partition_with<P: Param, F>(&self, shared: &Shared<P>, f: F) -> Result<()>
    where
        F: Fn(Shared<P>, usize, PartitionRows<T>) + Send + Sync + 'static,
    {
        let none = move |shared, index, rows| {
            f(shared, index, rows);
            None::<bool>
        };
        self.clone().map_partitions_with(shared, none).for_each(|_| {})
    }
}
