//! `count`: how many rows there are.

use arrow::datatypes::SchemaRef;

use crate::chain::{Chain, RowConsumer, Step};
use crate::dataset::Dataset;
use crate::error::Result;
use crate::plan::Terminal;
use crate::row::{Row, ipc, schema};
use crate::ship::params::{ParamReader, ParamWriter, Ship};
use crate::shuffle::PartitionedWriter;
use crate::task::{Output, Task};

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// The number of rows. Only one number per partition moves.
    ///
    /// # Errors
    /// Whatever stops the job, with its class and place.
    pub fn count(&self) -> Result<u64> {
        self.origin.check()?;
        let counts: Vec<u64> = ipc::rows_of(&self.origin.cx.act(&self.end_in(Count))?.batches)?;
        Ok(counts.into_iter().sum())
    }
}

/// Counts the rows of a partition.
struct Count;

impl Ship for Count {
    fn ship(&self, _: &mut ParamWriter) -> Result<()> {
        Ok(())
    }
    fn rebuild(_: &mut ParamReader<'_>) -> Result<Self> {
        Ok(Count)
    }
}

impl<T: Row> Terminal<T> for Count {
    fn run<C: Chain<Out = T>>(&self, chain: &C, task: &Task<'_>, out: &mut dyn Output) -> Result<()> {
        let mut rows = Rows(0);
        chain.drive(task, &mut rows)?;
        let mut writer = PartitionedWriter::<u64>::new(1, out);
        writer.push(0, rows.0);
        writer.finish()
    }

    fn schema(&self) -> SchemaRef {
        schema::<u64>()
    }

    fn steps(&self, _: &mut Vec<Step>) {}
}

struct Rows(u64);

impl<T: Row> RowConsumer<T> for Rows {
    #[inline]
    fn push(&mut self, _: T::View<'_>) {
        self.0 += 1;
    }
}
