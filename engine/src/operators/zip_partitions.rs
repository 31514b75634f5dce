//! `zip_partitions`: calls a closure with the rows of one partition of two datasets.
//!
//! The closure pulls the rows of both sides, so each side is computed on a separate thread
//! (`partition_rows`).

use std::marker::PhantomData;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use kiln_planner::Site;

use super::partition_rows::{PartitionRows, pulled_input};
use super::zip::zipped;
use crate::chain::{Chain, FuncInfo, Plain, Step, With};
use crate::dataset::Dataset;
use crate::error::Result;
use crate::plan::{Operator, OperatorExec};
use crate::row::{Row, schema};
use crate::ship::closure::Closure;
use crate::ship::params::{ParamReader, ParamWriter};
use crate::ship::shared::{Param, Shared};
use crate::ship::table;
use crate::shuffle::PartitionedWriter;
use crate::task::{Output, Task};

const NAME: &str = "zip_partitions";

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// Calls `f` once per partition, with the partition's index and iterators over its rows in this
    /// dataset and in `other`. The returned items are the new rows, and the iterator may be lazy. Both
    /// datasets must have the same number of partitions; the numbers of rows may differ.
    ///
    /// Rows arrive in batches from two other threads and are owned. A closure need not consume all of
    /// them.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let (few, many) = (cx.parallelize_in(2, 0..2u64), cx.parallelize_in(2, 0..6u64));
    /// let sums = few.zip_partitions(many, |_, few, many| few.zip([many.sum::<u64>()]).collect::<Vec<_>>());
    /// assert_eq!(sums.collect()?, [(0, 3), (1, 12)]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// The action fails with a config error when the numbers of partitions differ.
    #[track_caller]
    pub fn zip_partitions<U: Row, D: Chain<Out = U>, O: Row, R, F>(
        self,
        other: Dataset<U, D>,
        f: F,
    ) -> Dataset<O>
    where
        F: Fn(usize, PartitionRows<T>, PartitionRows<U>) -> R + Send + Sync + 'static,
        R: IntoIterator<Item = O> + 'static,
    {
        self.zip_partitions_by(other, Plain::new(f, Site::caller()))
    }

    /// `zip_partitions` with a value from [`Context::share`](crate::Context::share) as the first
    /// argument. The closure gets the shared value itself and not a reference, so that a lazy iterator
    /// can keep it.
    #[track_caller]
    pub fn zip_partitions_with<P: Param, U: Row, D: Chain<Out = U>, O: Row, R, F>(
        self,
        shared: &Shared<P>,
        other: Dataset<U, D>,
        f: F,
    ) -> Dataset<O>
    where
        F: Fn(Shared<P>, usize, PartitionRows<T>, PartitionRows<U>) -> R + Send + Sync + 'static,
        R: IntoIterator<Item = O> + 'static,
    {
        self.zip_partitions_by(other, With::new(shared, f, Site::caller()))
    }

    fn zip_partitions_by<U: Row, D: Chain<Out = U>, O: Row, R, G>(
        self,
        other: Dataset<U, D>,
        func: G,
    ) -> Dataset<O>
    where
        G: PartitionsFunc<T, U, R>,
        R: IntoIterator<Item = O> + 'static,
    {
        let partitions = self.origin.partitions;
        let origin = zipped(&self.origin, &other.origin, NAME, func.site());
        table::anchor::<ZipPartitions<T, U, R, G>>();
        let operator = Arc::new(ZipPartitions::<T, U, R, G> { func, _rows: PhantomData });
        let plan = OperatorExec::new(operator, vec![self.to_plan(), other.to_plan()], partitions);
        Dataset::from_plan(Arc::new(plan), origin)
    }
}

/// A closure over one partition of two datasets.
trait PartitionsFunc<T: Row, U: Row, R>: FuncInfo {
    fn call(&self, partition: usize, left: PartitionRows<T>, right: PartitionRows<U>) -> R;
}

impl<T: Row, U: Row, R, F> PartitionsFunc<T, U, R> for Plain<F>
where
    F: Fn(usize, PartitionRows<T>, PartitionRows<U>) -> R + Send + Sync + 'static,
{
    fn call(&self, partition: usize, left: PartitionRows<T>, right: PartitionRows<U>) -> R {
        (self.code())(partition, left, right)
    }
}

impl<T: Row, U: Row, R, P: Param, F> PartitionsFunc<T, U, R> for With<P, F>
where
    F: Fn(Shared<P>, usize, PartitionRows<T>, PartitionRows<U>) -> R + Send + Sync + 'static,
{
    fn call(&self, partition: usize, left: PartitionRows<T>, right: PartitionRows<U>) -> R {
        (self.code())(self.handle().clone(), partition, left, right)
    }
}

/// Calls the closure for one partition.
struct ZipPartitions<T, U, R, G> {
    func: G,
    _rows: PhantomData<fn() -> (T, U, R)>,
}

impl<T: Row, U: Row, O: Row, R, G> Operator for ZipPartitions<T, U, R, G>
where
    G: PartitionsFunc<T, U, R>,
    R: IntoIterator<Item = O> + 'static,
{
    fn run(&self, task: &Task<'_>, out: &mut dyn Output) -> Result<()> {
        let mut writer = PartitionedWriter::<O>::new(1, out);
        pulled_input(0, task, |left| {
            pulled_input(1, task, |right| {
                for row in self.func.call(task.partition, left, right) {
                    writer.push(0, row.view());
                    if writer.is_closed() {
                        break;
                    }
                }
                Ok(())
            })
        })?;
        writer.finish()
    }

    fn schema(&self) -> SchemaRef {
        schema::<O>()
    }

    fn steps(&self) -> Vec<Step> {
        vec![Step::new(NAME, self.func.site())]
    }

    fn closures(&self) -> Vec<Closure> {
        vec![self.func.describe(NAME)]
    }

    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        self.func.ship(params)
    }

    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        Ok(ZipPartitions { func: G::rebuild(params)?, _rows: PhantomData })
    }
}
