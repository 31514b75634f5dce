//! `repartition`: another number of partitions, of nearly equal size.

use std::marker::PhantomData;

use arrow::datatypes::SchemaRef;
use kiln_planner::{Movement, Site};

use super::partition_by::at_least_one;
use crate::chain::{Chain, Sink, Step};
use crate::dataset::Dataset;
use crate::error::Result;
use crate::plan::Terminal;
use crate::row::{Row, schema};
use crate::ship::params::{ParamReader, ParamWriter, Ship};
use crate::shuffle::PartitionedWriter;
use crate::task::{Output, Task};

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// Spreads the rows over `partitions`, each row of a partition to the next one in turn. Where a
    /// row goes depends on its place alone, so a task that is run again sends it there again.
    ///
    /// All rows move. To have fewer partitions without that, use [`coalesce`](Dataset::coalesce).
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
        let moved = self.exchange(InTurn::new(partitions), how, reason, Site::caller());
        Dataset::from_plan(moved, self.origin.moved().at_least(partitions).failing(error))
    }
}

/// Sends each row to the next partition.
struct InTurn<T> {
    partitions: usize,
    _row: PhantomData<fn() -> T>,
}

impl<T> InTurn<T> {
    fn new(partitions: usize) -> Self {
        InTurn { partitions, _row: PhantomData }
    }
}

impl<T> Ship for InTurn<T> {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        params.put(&self.partitions)
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        Ok(InTurn::new(params.take()?))
    }
}

impl<T: Row> Terminal<T> for InTurn<T> {
    fn run<C: Chain<Out = T>>(&self, chain: &C, task: &Task<'_>, out: &mut dyn Output) -> Result<()> {
        let writer = PartitionedWriter::<T>::new(self.partitions, out);
        // Tasks begin at different partitions: many of few rows would fill the first ones only.
        let mut sink = InTurnSink { writer, next: task.partition % self.partitions };
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

impl<T: Row> Sink<T> for InTurnSink<'_, T> {
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
