//! `zip_with_index`: pairs each row with its position in the whole dataset.
//!
//! The position of a row is known once the rows of all earlier partitions are counted. A separate job
//! counts them before the job of the action. The stages below run once, because their output is kept
//! until the action ends, but the chain that ends here runs twice. A single partition needs no count.

use std::marker::PhantomData;
use std::sync::{Arc, OnceLock};

use arrow::datatypes::SchemaRef;
use datafusion_physical_plan::ExecutionPlan;
use kiln_planner::Site;

use crate::chain::{Chain, RowConsumer, Step};
use crate::context::Context;
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::plan::{Fused, OperatorExec, Terminal};
use crate::row::{Row, ipc, schema};
use crate::ship::params::{ParamReader, ParamWriter, Ship};
use crate::shuffle::PartitionedWriter;
use crate::task::{Output, Task};

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// Pairs each row with its position, starting at 0, in the order of the partitions.
    ///
    /// With more than one partition, an action first runs a job that counts the rows, so they are
    /// computed twice. [`zip_with_unique_id`](Dataset::zip_with_unique_id) needs no count, but its
    /// numbers have gaps.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let rows = cx.parallelize_in(2, ["a", "b", "c"].map(String::from)).zip_with_index();
    /// assert_eq!(rows.values().collect()?, [0, 1, 2]);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn zip_with_index(self) -> Dataset<(T, u64)> {
        let index = Index { site: Site::caller(), first: OnceLock::new() };
        let plan = self.end_in(index);
        Dataset::from_plan(plan, self.origin.moved())
    }
}

/// Numbers the rows of a partition.
struct Index {
    site: Site,
    /// Number of the first row of each partition, once the rows are counted.
    first: OnceLock<Vec<u64>>,
}

impl Ship for Index {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        params.put(&(&self.site, self.first.get()))
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        let (site, first): (Site, Option<Vec<u64>>) = params.take()?;
        Ok(Index { site, first: first.map(OnceLock::from).unwrap_or_default() })
    }
}

impl<T: Row> Terminal<T> for Index {
    fn run<C: Chain<Out = T>>(&self, chain: &C, task: &Task<'_>, out: &mut dyn Output) -> Result<()> {
        let first = self.first.get().and_then(|first| first.get(task.partition));
        let next = *first.ok_or_else(|| Error::bug("rows are numbered before they are counted"))?;
        let mut sink = IndexSink { next, writer: PartitionedWriter::<(T, u64)>::new(1, out) };
        chain.drive(task, &mut sink)?;
        sink.writer.finish()
    }

    fn schema(&self) -> SchemaRef {
        schema::<(T, u64)>()
    }

    fn steps(&self, steps: &mut Vec<Step>) {
        steps.push(Step::new("zip_with_index", &self.site));
    }

    fn prepare<C: Chain<Out = T>>(
        &self,
        chain: &C,
        inputs: &[Arc<dyn ExecutionPlan>],
        partitions: usize,
        cx: &Context,
    ) -> Result<()> {
        if self.first.get().is_some() {
            return Ok(());
        }
        let mut counts: Vec<u64> = vec![0];
        if partitions > 1 {
            let count = Fused::operator(chain.clone(), Rows);
            let plan: Arc<dyn ExecutionPlan> =
                Arc::new(OperatorExec::new(count, inputs.to_vec(), partitions));
            counts = ipc::rows_of(&cx.run(&plan)?.batches)?;
        }
        let before = counts.iter().scan(0, |sum, rows| {
            let first = *sum;
            *sum += rows;
            Some(first)
        });
        let _ = self.first.set(before.collect());
        Ok(())
    }
}

struct IndexSink<'a, T: Row> {
    next: u64,
    writer: PartitionedWriter<'a, (T, u64)>,
}

impl<T: Row> RowConsumer<T> for IndexSink<'_, T> {
    #[inline]
    fn push(&mut self, row: T::View<'_>) {
        self.writer.push(0, (T::narrow(row), self.next));
        self.next += 1;
    }
    fn is_full(&self) -> bool {
        self.writer.is_closed()
    }
}

/// Counts the rows of a partition.
struct Rows;

impl Ship for Rows {
    fn ship(&self, _: &mut ParamWriter) -> Result<()> {
        Ok(())
    }
    fn rebuild(_: &mut ParamReader<'_>) -> Result<Self> {
        Ok(Rows)
    }
}

impl<T: Row> Terminal<T> for Rows {
    fn run<C: Chain<Out = T>>(&self, chain: &C, task: &Task<'_>, out: &mut dyn Output) -> Result<()> {
        let mut rows = RowCount { rows: 0, _row: PhantomData };
        chain.drive(task, &mut rows)?;
        let mut writer = PartitionedWriter::<u64>::new(1, out);
        writer.push(0, rows.rows);
        writer.finish()
    }

    fn schema(&self) -> SchemaRef {
        schema::<u64>()
    }

    fn steps(&self, _: &mut Vec<Step>) {}
}

struct RowCount<T> {
    rows: u64,
    _row: PhantomData<fn(T)>,
}

impl<T: Row> RowConsumer<T> for RowCount<T> {
    #[inline]
    fn push(&mut self, _: T::View<'_>) {
        self.rows += 1;
    }
}
