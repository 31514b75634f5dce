//! `map_partitions`: calls a closure with all rows of a partition.
//!
//! The closure pulls its rows (`partition_rows`), and the items of the returned iterator are pushed at
//! once: neither the input nor the output is ever held as a whole.

use std::marker::PhantomData;

use kiln_planner::Site;

use super::partition_rows::{PartitionFunc, PartitionRows, pulled};
use crate::chain::{Chain, Plain, RowConsumer, Step, With};
use crate::dataset::Dataset;
use crate::error::Result;
use crate::row::Row;
use crate::ship::closure::Closure;
use crate::ship::params::{ParamReader, ParamWriter, Ship};
use crate::ship::shared::{Param, Shared};
use crate::task::Task;

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// Calls `f` once per partition, with the partition's index and an iterator over its rows. The
    /// returned items are the new rows, and the iterator may be lazy. For work with a setup that many
    /// rows should share.
    ///
    /// Rows arrive in batches from a second thread and are owned. A closure need not consume all of
    /// them. One that collects them must have the memory for it.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let rows = cx.parallelize_in(2, 0..6u64);
    /// let sums = rows.map_partitions(|index, rows| [(index as u64, rows.sum::<u64>())]);
    /// assert_eq!(sums.collect()?, [(0, 3), (1, 12)]);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn map_partitions<O: Row, R, F>(self, f: F) -> Dataset<O, MapPartitions<C, Plain<F>, R>>
    where
        F: Fn(usize, PartitionRows<T>) -> R + Send + Sync + 'static,
        R: IntoIterator<Item = O> + 'static,
    {
        let func = Plain::new(f, Site::caller());
        Dataset::over(MapPartitions { chain: self.chain, func, _result: PhantomData }, self.origin.moved())
    }

    /// `map_partitions` with a value from [`Context::share`](crate::Context::share) as the first
    /// argument. The closure gets the shared value itself and not a reference, so that a lazy iterator
    /// can keep it.
    #[track_caller]
    pub fn map_partitions_with<P: Param, O: Row, R, F>(
        self,
        shared: &Shared<P>,
        f: F,
    ) -> Dataset<O, MapPartitions<C, With<P, F>, R>>
    where
        F: Fn(Shared<P>, usize, PartitionRows<T>) -> R + Send + Sync + 'static,
        R: IntoIterator<Item = O> + 'static,
    {
        let func = With::new(shared, f, Site::caller());
        Dataset::over(MapPartitions { chain: self.chain, func, _result: PhantomData }, self.origin.moved())
    }
}

/// The chain `C`, followed by a closure that returns `R` for each partition.
pub struct MapPartitions<C, G, R> {
    chain: C,
    func: G,
    _result: PhantomData<fn() -> R>,
}

impl<C: Clone, G: Clone, R> Clone for MapPartitions<C, G, R> {
    fn clone(&self) -> Self {
        MapPartitions { chain: self.chain.clone(), func: self.func.clone(), _result: PhantomData }
    }
}

impl<C: Ship, G: Ship, R> Ship for MapPartitions<C, G, R> {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        self.chain.ship(params)?;
        self.func.ship(params)
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        let chain = C::rebuild(params)?;
        Ok(MapPartitions { chain, func: G::rebuild(params)?, _result: PhantomData })
    }
}

impl<C, G, R, O> Chain for MapPartitions<C, G, R>
where
    C: Chain,
    G: PartitionFunc<C::Out, R>,
    R: IntoIterator<Item = O> + 'static,
    O: Row,
{
    type Out = O;

    fn drive<S: RowConsumer<O>>(&self, task: &Task<'_>, sink: &mut S) -> Result<()> {
        pulled(&self.chain, task, |rows| {
            for item in self.func.call(task.partition, rows) {
                sink.push(item.view());
                if sink.is_full() {
                    break;
                }
            }
            Ok(())
        })
    }

    fn steps(&self, steps: &mut Vec<Step>) {
        self.chain.steps(steps);
        steps.push(Step::new("map_partitions", self.func.site()));
    }

    fn source_bytes(&self) -> u64 {
        self.chain.source_bytes()
    }

    fn closures(&self, closures: &mut Vec<Closure>) {
        self.chain.closures(closures);
        closures.push(self.func.describe("map_partitions"));
    }
}
