//! `map_partitions`: a closure that sees the rows of a whole partition.
//!
//! Kiln pushes rows, and such a closure pulls them. So the rows before it are computed on a second
//! thread, which hands them over in batches through a short queue: neither side holds more than a few
//! batches, whatever the partition's size. What the closure's iterator gives is pushed on at once.

use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, sync_channel};

use arrow::array::RecordBatch;
use kiln_planner::Site;

use super::columns::batches_of;
use crate::chain::{Chain, FuncInfo, Plain, Sink, Step, With};
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::row::{IntoRow, Row, RowReader};
use crate::ship::closure::Closure;
use crate::ship::params::{ParamReader, ParamWriter, Ship};
use crate::ship::shared::{Param, Shared};
use crate::task::{Task, aside};

/// Batches that wait between the two threads at most.
const QUEUE_BATCHES: usize = 2;

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// Calls `f` once per partition, with the partition's number and an iterator over its rows; what
    /// it returns, lazily or not, are the new rows. For work that is set up once for many rows.
    ///
    /// Rows arrive in batches from a second thread and are owned. A closure that does not take all of
    /// them lets the rest be; one that collects them must have the memory for it.
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
        R: IntoIterator<Item: IntoRow<Row = O>> + 'static,
    {
        let func = Plain::new(f, Site::caller());
        Dataset::over(MapPartitions { chain: self.chain, func, _result: PhantomData }, self.origin.moved())
    }

    /// `map_partitions` with a value from [`Context::share`](crate::Context::share) as the first
    /// argument: the shared value itself and no reference, so that a lazy iterator may keep it.
    #[track_caller]
    pub fn map_partitions_with<P: Param, O: Row, R, F>(
        self,
        shared: &Shared<P>,
        f: F,
    ) -> Dataset<O, MapPartitions<C, With<P, F>, R>>
    where
        F: Fn(Shared<P>, usize, PartitionRows<T>) -> R + Send + Sync + 'static,
        R: IntoIterator<Item: IntoRow<Row = O>> + 'static,
    {
        let func = With::new(shared, f, Site::caller());
        Dataset::over(MapPartitions { chain: self.chain, func, _result: PhantomData }, self.origin.moved())
    }
}

/// The rows of one partition, in their order.
pub struct PartitionRows<T: Row> {
    /// Nothing more is a partition that has ended well; a closed queue without that is a failure.
    queue: Receiver<Option<RecordBatch>>,
    batch: Option<(RowReader<T>, usize)>,
    ended: bool,
}

/// What ends the closure when the rows before it cannot be computed: it must not take a part of the
/// rows for all of them.
struct InputFailed;

impl<T: Row> PartitionRows<T> {
    #[cold]
    fn next_batch(&mut self) -> bool {
        let batch = match self.queue.recv() {
            Ok(Some(batch)) => RowReader::open(&batch).ok(),
            Ok(None) => {
                self.ended = true;
                return false;
            }
            Err(_) => None,
        };
        self.batch = batch.map(|batch| (batch, 0));
        if self.batch.is_none() {
            self.ended = true;
            resume_unwind(Box::new(InputFailed));
        }
        true
    }
}

impl<T: Row> Iterator for PartitionRows<T> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        loop {
            if let Some((rows, next)) = &mut self.batch
                && *next < rows.len()
            {
                *next += 1;
                return Some(T::own(rows.get(*next - 1)));
            }
            if self.ended || !self.next_batch() {
                return None;
            }
        }
    }
}

/// A closure of a whole partition.
pub trait PartitionFunc<T: Row, R>: FuncInfo {
    /// Calls it.
    fn call(&self, partition: usize, rows: PartitionRows<T>) -> R;
}

impl<T: Row, R, F: Fn(usize, PartitionRows<T>) -> R + Send + Sync + 'static> PartitionFunc<T, R>
    for Plain<F>
{
    fn call(&self, partition: usize, rows: PartitionRows<T>) -> R {
        (self.code())(partition, rows)
    }
}

impl<T: Row, R, P: Param, F> PartitionFunc<T, R> for With<P, F>
where
    F: Fn(Shared<P>, usize, PartitionRows<T>) -> R + Send + Sync + 'static,
{
    fn call(&self, partition: usize, rows: PartitionRows<T>) -> R {
        (self.code())(self.handle().clone(), partition, rows)
    }
}

/// The chain `C`, then a closure of each partition that gives `R`.
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
    R: IntoIterator<Item: IntoRow<Row = O>> + 'static,
    O: Row,
{
    type Out = O;

    fn drive<S: Sink<O>>(&self, task: &Task<'_>, sink: &mut S) -> Result<()> {
        let (sender, queue) = sync_channel(QUEUE_BATCHES);
        let feed = move |task: &Task<'_>| {
            batches_of(&self.chain, task, &mut |batch| {
                let taken = sender.send(Some(batch)).is_ok();
                Ok(if taken { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
            })?;
            let _ = sender.send(None);
            Ok(())
        };
        let rows = PartitionRows { queue, batch: None, ended: false };
        let work = || catch_unwind(AssertUnwindSafe(|| self.work(task.partition, rows, sink)));
        let (fed, worked) = aside(task, feed, work)?;
        fed?;
        worked.unwrap_or_else(|panic| match panic.is::<InputFailed>() {
            true => Err(Error::bug("a partition's rows ended without a word")),
            false => resume_unwind(panic),
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

impl<C: Chain, G, R> MapPartitions<C, G, R> {
    /// Pushes on what the closure gives.
    fn work<O, S>(&self, partition: usize, rows: PartitionRows<C::Out>, sink: &mut S) -> Result<()>
    where
        G: PartitionFunc<C::Out, R>,
        R: IntoIterator<Item: IntoRow<Row = O>>,
        O: Row,
        S: Sink<O>,
    {
        for item in self.func.call(partition, rows) {
            sink.push(item.as_view());
            if sink.is_full() {
                break;
            }
        }
        Ok(())
    }
}
