//! Ends a chain by collecting its rows into Arrow columns, without moving them.

use std::marker::PhantomData;

use arrow::datatypes::SchemaRef;

use crate::chain::{Chain, RowConsumer, Step};
use crate::error::Result;
use crate::plan::Terminal;
use crate::row::{Row, schema};
use crate::ship::params::{ParamReader, ParamWriter, Ship};
use crate::shuffle::PartitionedWriter;
use crate::task::{BatchSink, Onward, Output, Task};

/// Rows as columns. `collect`, `cache`, `union` and `erase` start with this.
pub(crate) struct Columns<T>(PhantomData<fn() -> T>);

impl<T> Columns<T> {
    pub(crate) fn new() -> Self {
        Columns(PhantomData)
    }
}

impl<T> Ship for Columns<T> {
    fn ship(&self, _: &mut ParamWriter) -> Result<()> {
        Ok(())
    }
    fn rebuild(_: &mut ParamReader<'_>) -> Result<Self> {
        Ok(Columns::new())
    }
}

impl<T: Row> Terminal<T> for Columns<T> {
    fn run<C: Chain<Out = T>>(&self, chain: &C, task: &Task<'_>, out: &mut dyn Output) -> Result<()> {
        let mut sink = ColumnSink(PartitionedWriter::<T>::new(1, out));
        chain.drive(task, &mut sink)?;
        sink.0.finish()
    }

    fn schema(&self) -> SchemaRef {
        schema::<T>()
    }

    fn steps(&self, _: &mut Vec<Step>) {}
}

/// Passes a chain's rows on as batches. Rows of another plan node are batches already and pass
/// unchanged.
pub(super) fn batches_of<T: Row, C: Chain<Out = T>>(
    chain: &C,
    task: &Task<'_>,
    take: &mut BatchSink<'_>,
) -> Result<()> {
    if chain.is_input() {
        return task.read_input(0, &mut |batch| {
            task.check()?;
            take(batch)
        });
    }
    Columns::<T>::new().run(chain, task, &mut Onward { env: task.env, take, place: &task.place })
}

struct ColumnSink<'a, T: Row>(PartitionedWriter<'a, T>);

impl<T: Row> RowConsumer<T> for ColumnSink<'_, T> {
    #[inline]
    fn push(&mut self, row: T::View<'_>) {
        self.0.push(0, row);
    }
    fn is_full(&self) -> bool {
        self.0.is_closed()
    }
}
