//! `for_each_partition`: calls a closure for the rows of every partition, where they are.
//! `try_for_each_partition`, in its own file, is the same work with a closure that may fail.

use std::marker::PhantomData;

use arrow::datatypes::SchemaRef;
use kiln_planner::Site;

use super::ending::Ending;
use crate::chain::{Chain, Plain, Step, With};
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::operators::{PartitionFunc, PartitionRows, pulled};
use crate::plan::Terminal;
use crate::row::{Row, schema};
use crate::ship::closure::Closure;
use crate::ship::params::{ParamReader, ParamWriter, Ship};
use crate::ship::shared::{Param, Shared};
use crate::task::{Output, Task};

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// Calls `f` once per partition, with the partition's number and an iterator over its rows, in the
    /// process that computes them: for effects that need something set up once for many rows, such as
    /// a connection. Nothing comes back. Rows arrive as in [`map_partitions`](Dataset::map_partitions).
    ///
    /// A task that is run again, because its executor was lost, calls `f` again for the same partition.
    /// A closure that may fail goes to [`try_for_each_partition`](Dataset::try_for_each_partition).
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
        self.for_each_partition_by(Plain::new(f, Site::caller()))
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
        self.for_each_partition_by(With::new(shared, f, Site::caller()))
    }

    /// Both of them, and `try_for_each_partition`.
    pub(super) fn for_each_partition_by<G: PartitionFunc<T, R>, R: Ending>(&self, func: G) -> Result<()> {
        self.origin.check()?;
        let end = ForEachPartition { func, _ending: PhantomData };
        self.origin.cx.act_with(&self.end_in(end), true).map(drop)
    }
}

/// Calls a closure for a whole partition.
struct ForEachPartition<G, R> {
    func: G,
    _ending: PhantomData<fn() -> R>,
}

impl<G: Ship, R> Ship for ForEachPartition<G, R> {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        self.func.ship(params)
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        Ok(ForEachPartition { func: G::rebuild(params)?, _ending: PhantomData })
    }
}

impl<T: Row, G: PartitionFunc<T, R>, R: Ending> Terminal<T> for ForEachPartition<G, R> {
    fn run<C: Chain<Out = T>>(&self, chain: &C, task: &Task<'_>, _: &mut dyn Output) -> Result<()> {
        let placed = |e: Error| {
            e.at("partition", task.partition).at("line", self.func.site()).at("operator", R::OF_PARTITIONS)
        };
        pulled(chain, task, |rows| self.func.call(task.partition, rows).into_result().map_err(placed))
    }

    fn schema(&self) -> SchemaRef {
        schema::<T>()
    }

    fn steps(&self, steps: &mut Vec<Step>) {
        steps.push(Step::new(R::OF_PARTITIONS, self.func.site()));
    }

    fn closures(&self, closures: &mut Vec<Closure>) {
        closures.push(self.func.describe(R::OF_PARTITIONS));
    }
}
