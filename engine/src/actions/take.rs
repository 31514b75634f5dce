//! `take`: the first rows, from no more partitions than it takes.

use std::marker::PhantomData;

use arrow::datatypes::SchemaRef;

use crate::chain::{Chain, RowConsumer, Step};
use crate::dataset::Dataset;
use crate::error::Result;
use crate::plan::Terminal;
use crate::row::{Row, ipc, schema};
use crate::ship::params::{ParamReader, ParamWriter, Ship};
use crate::shuffle::PartitionedWriter;
use crate::task::{Output, Task};

/// How much larger the next group of partitions is that is tried for missing rows, as in Spark.
const GROWTH: usize = 4;

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// The first `n` rows, in the order of the partitions. They must fit the driver's memory.
    ///
    /// Every task stops once it has `n`. Partitions are computed until there are enough rows: the
    /// first one, then the next 4, then the next 16 …
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// assert_eq!(cx.range(0..1_000_000).filter(|n| n % 10 == 7).take(2)?, [7, 17]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Whatever stops the job, with its class and place.
    pub fn take(&self, n: usize) -> Result<Vec<T>> {
        self.origin.check()?;
        let mut action = self.origin.cx.begin(&self.end_in(Take { rows: n, _row: PhantomData }))?;
        let (mut rows, mut tried, mut group) = (Vec::new(), 0, 1usize);
        while rows.len() < n && tried < action.partitions() {
            let end = tried.saturating_add(group).min(action.partitions());
            rows.extend(ipc::rows_of::<T>(&action.run(tried..end)?.batches)?);
            (tried, group) = (end, group.saturating_mul(GROWTH));
        }
        rows.truncate(n);
        Ok(rows)
    }
}

/// The first rows of a partition.
struct Take<T> {
    rows: usize,
    _row: PhantomData<fn() -> T>,
}

impl<T> Ship for Take<T> {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        params.put(&self.rows)
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        Ok(Take { rows: params.take()?, _row: PhantomData })
    }
}

impl<T: Row> Terminal<T> for Take<T> {
    fn run<C: Chain<Out = T>>(&self, chain: &C, task: &Task<'_>, out: &mut dyn Output) -> Result<()> {
        let mut sink = TakeSink { left: self.rows, writer: PartitionedWriter::<T>::new(1, out) };
        if self.rows > 0 {
            chain.drive(task, &mut sink)?;
        }
        sink.writer.finish()
    }

    fn schema(&self) -> SchemaRef {
        schema::<T>()
    }

    fn steps(&self, _: &mut Vec<Step>) {}
}

struct TakeSink<'a, T: Row> {
    left: usize,
    writer: PartitionedWriter<'a, T>,
}

impl<T: Row> RowConsumer<T> for TakeSink<'_, T> {
    #[inline]
    fn push(&mut self, row: T::View<'_>) {
        if self.left > 0 {
            self.left -= 1;
            self.writer.push(0, row);
        }
    }
    fn is_full(&self) -> bool {
        self.left == 0 || self.writer.is_closed()
    }
}
