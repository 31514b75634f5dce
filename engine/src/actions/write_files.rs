//! What the tasks of a `write` do: rows become files of their attempt's, and a list of them goes to the driver.
//!
//! Which files an output is made of in the end, the driver decides by these lists (`publish`).

use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema, SchemaRef};
use kiln_planner::Site;

use crate::chain::{Chain, Step};
use crate::error::{Error, Result};
use crate::operators::Columns;
use crate::plan::Terminal;
use crate::publish::{Layout, OutputFile, PartFiles, Place, Writer};
use crate::row::{Row, schema};
use crate::ship::params::{ParamReader, ParamWriter, Ship};
use crate::task::{BatchLimits, Output, Task};

/// Writes the rows of a partition to files of this attempt's.
pub(super) struct WriteFiles<T> {
    pub(super) place: Place,
    pub(super) layout: Layout,
    /// Of the columns, as the output has them.
    pub(super) names: Vec<String>,
    pub(super) site: Site,
    pub(super) _row: PhantomData<fn() -> T>,
}

impl<T> Ship for WriteFiles<T> {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        params.put(&(&self.place, &self.layout, &self.names, &self.site))
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        let (place, layout, names, site) = params.take()?;
        Ok(WriteFiles { place, layout, names, site, _row: PhantomData })
    }
}

impl<T: Row> WriteFiles<T> {
    /// The columns of the rows by the names that they have in the output.
    pub(super) fn table(&self) -> SchemaRef {
        let named = T::columns().into_iter().zip(&self.names).map(|(column, name)| column.with_name(name));
        Arc::new(Schema::new(named.collect::<Vec<Field>>()))
    }
}

impl<T: Row> Terminal<T> for WriteFiles<T> {
    fn run<C: Chain<Out = T>>(&self, chain: &C, task: &Task<'_>, out: &mut dyn Output) -> Result<()> {
        let writer = Writer { partition: task.partition, attempt: task.env.attempt };
        let files = PartFiles::new(&self.place, &self.layout, writer, self.table(), task.reserve("write"))?;
        let mut files = Files { files, limits: out.limits() };
        Columns::<T>::new().run(chain, task, &mut files)?;
        // The first partition makes a file even without rows, so that an output has its columns; a table's log has them.
        let parts = files.files.finish(task.partition == 0 && !self.layout.is_table)?;
        let note = postcard::to_stdvec(&parts)
            .map_err(|e| Error::bug("a list of files cannot be sent").because(e))?;
        out.note(note);
        Ok(())
    }

    fn schema(&self) -> SchemaRef {
        schema::<T>()
    }

    fn steps(&self, steps: &mut Vec<Step>) {
        steps.push(Step::new(format!("write_{}", self.layout.format.name()), &self.site));
    }
}

/// Takes the batches of a chain's end.
struct Files<'a> {
    files: PartFiles<'a>,
    limits: BatchLimits,
}

impl Output for Files<'_> {
    fn limits(&self) -> BatchLimits {
        self.limits
    }

    fn push(&mut self, _: usize, batch: RecordBatch) -> Result<ControlFlow<()>> {
        self.files.push(&batch)?;
        Ok(ControlFlow::Continue(()))
    }

    fn note(&mut self, _: Vec<u8>) {}
}

/// The list that a task has sent.
pub(super) fn note_to_files(note: &[u8]) -> Result<Vec<OutputFile>> {
    postcard::from_bytes(note).map_err(|e| Error::bug("a task's list of files cannot be read").because(e))
}
