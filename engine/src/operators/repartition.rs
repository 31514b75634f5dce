//! `repartition`: changes the number of partitions and balances their size.

use std::marker::PhantomData;

use arrow::datatypes::SchemaRef;
use kiln_planner::{Movement, Site};

use super::partition_by::at_least_one;
use crate::chain::{Chain, RowConsumer, Step};
use crate::dataset::Dataset;
use crate::error::Result;
use crate::plan::Terminal;
use crate::row::{Row, schema};
use crate::ship::params::{ParamReader, ParamWriter, Ship};
use crate::shuffle::PartitionedWriter;
use crate::task::{Output, Task};

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// Distributes the rows round-robin over `partitions` partitions. The target of a row depends only
    /// on its position, so a task that runs again sends it to the same partition.
    ///
    /// The existing partitions start at evenly spaced targets. If they are equal in size, the new ones
    /// differ by at most one row. Otherwise each existing partition adds at most one row more to one
    /// new partition than to another.
    ///
    /// All rows move, and later exchanges keep the number. To reduce the number without moving rows,
    /// use [`coalesce`](Dataset::coalesce).
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// assert_eq!(cx.range(0..6).repartition(2).collect()?, [0, 2, 4, 1, 3, 5]);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn repartition(self, partitions: usize) -> Dataset<T> {
        let (partitions, error) = at_least_one(partitions, "repartition");
        let (how, reason) = (Movement::RoundRobin { partitions }, "repartition spreads rows evenly");
        let end = InTurn::new(self.origin.partitions, partitions);
        let moved = self.exchange(end, how, reason, Site::caller());
        Dataset::from_plan(moved, self.origin.keeping(partitions).failing(error))
    }
}

/// Distributes rows round-robin.
struct InTurn<T> {
    /// Number of partitions before the exchange.
    before: usize,
    partitions: usize,
    _row: PhantomData<fn() -> T>,
}

impl<T> InTurn<T> {
    fn new(before: usize, partitions: usize) -> Self {
        InTurn { before, partitions, _row: PhantomData }
    }

    /// The target of the first row of `partition`. If all started at the same target, many partitions
    /// of few rows would fill the same targets.
    fn first(&self, partition: usize) -> usize {
        partition % self.before * self.partitions / self.before
    }
}

impl<T> Ship for InTurn<T> {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        params.put(&(self.before, self.partitions))
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        let (before, partitions) = params.take()?;
        Ok(InTurn::new(before, partitions))
    }
}

impl<T: Row> Terminal<T> for InTurn<T> {
    fn run<C: Chain<Out = T>>(&self, chain: &C, task: &Task<'_>, out: &mut dyn Output) -> Result<()> {
        let writer = PartitionedWriter::<T>::new(self.partitions, out);
        let mut sink = InTurnSink { writer, next: self.first(task.partition) };
        chain.drive(task, &mut sink)?;
        sink.writer.finish()
    }

    fn schema(&self) -> SchemaRef {
        schema::<T>()
    }

    fn steps(&self, _: &mut Vec<Step>) {}
}

struct InTurnSink<'a, T: Row> {
    writer: PartitionedWriter<'a, T>,
    next: usize,
}

impl<T: Row> RowConsumer<T> for InTurnSink<'_, T> {
    #[inline]
    fn push(&mut self, row: T::View<'_>) {
        self.writer.push(self.next, row);
        self.next += 1;
        if self.next == self.writer.partitions() {
            self.next = 0;
        }
    }
    fn is_full(&self) -> bool {
        self.writer.is_closed()
    }
}
