//! `write_to`: rows go to a sink, in parts that one commit publishes.
//!
//! The driver begins the publish, tasks write a part each and send a note of it, the driver commits the parts that
//! it counts. The engine's own files are such a sink (`file_sink`).

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion_physical_plan::ExecutionPlan;
use kiln_planner::Site;

use crate::chain::{Chain, Step};
use crate::connect::{Begin, PartWriter, Sink, SinkRun, SinkTask};
use crate::context::Context;
use crate::dataset::{Dataset, Origin};
use crate::error::{Error, Result};
use crate::operators::Columns;
use crate::plan::Terminal;
use crate::row::{Row, schema};
use crate::ship::params::{ParamReader, ParamWriter, Ship};
use crate::ship::shared::Param;
use crate::task::{BatchLimits, Output, Task};

/// Rows that a sink can take: those of a dataset, or those of a source as they are.
pub trait Rows {
    /// Whose they are.
    fn context(&self) -> &Context;

    /// Whether their columns are known without asking their source.
    fn is_planned(&self) -> bool {
        true
    }

    /// Where they come from, which may have to be found out first.
    fn origin(&self) -> &Origin;

    /// Their columns.
    fn fields(&self) -> Vec<Field>;

    /// The plan node in which they go to a sink.
    fn end_in<K: Sink>(&self, end: WriteTo<K>) -> Arc<dyn ExecutionPlan>;
}

impl<T: Row, C: Chain<Out = T>> Rows for Dataset<T, C> {
    fn context(&self) -> &Context {
        &self.origin.cx
    }

    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn fields(&self) -> Vec<Field> {
        T::columns()
    }

    fn end_in<K: Sink>(&self, end: WriteTo<K>) -> Arc<dyn ExecutionPlan> {
        Dataset::end_in(self, end)
    }
}

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// Writes the rows to a target that implements [`Sink`], and publishes them in one commit.
    ///
    /// # Errors
    /// Those of the sink; else whatever stops the job, and then nothing is published.
    #[track_caller]
    pub fn write_to<K: Sink>(&self, sink: K) -> Result<()> {
        publish(self, sink, Arc::new(Schema::new(T::columns())), Site::caller())
    }
}

/// Whether the run has published this before, and has reported that. A source that is planned has been asked already; then
/// the sink answers when the publish begins.
pub(super) fn published_before<R: Rows, K: Sink>(rows: &R, sink: &K) -> Result<bool> {
    Ok(!rows.is_planned() && sink.already_published(&SinkRun::new(rows.context().job_run()))?)
}

/// Publishes `rows`, whose columns are called as those of `columns`, by `sink`.
pub(super) fn publish<R: Rows, K: Sink>(rows: &R, sink: K, columns: SchemaRef, site: Site) -> Result<()> {
    let origin = rows.origin();
    origin.check()?;
    let run = SinkRun::new(origin.cx.job_run());
    let Begin::Begun { held, stage } = sink.begin(&columns, &run)? else { return Ok(()) };
    let end = WriteTo { sink: sink.clone(), stage, columns, site };
    let outcome = origin.cx.act_with(&rows.end_in(end), true)?;
    let parts = outcome.reports.iter().map(|report| note_to_part(&report.payload));
    sink.commit(held, parts.collect::<Result<_>>()?, &run)
}

/// Writes the rows of a partition as one part of a publish.
pub struct WriteTo<K: Sink> {
    sink: K,
    stage: K::Stage,
    /// As the target calls them.
    columns: SchemaRef,
    site: Site,
}

impl<K: Sink> WriteTo<K> {
    /// Writes what `drive` puts out, and leaves a note of the part.
    pub(super) fn write(
        &self,
        task: &Task<'_>,
        out: &mut dyn Output,
        drive: impl FnOnce(&mut dyn Output) -> Result<()>,
    ) -> Result<()> {
        let to = SinkTask::new(task, &self.columns);
        let mut part = Part {
            writer: self.sink.open(&self.stage, &to)?,
            columns: Arc::clone(&self.columns),
            limits: out.limits(),
        };
        drive(&mut part)?;
        out.note(part_to_note(&part.writer.finish()?)?);
        Ok(())
    }

    /// Names itself, for explain.
    pub(super) fn step(&self) -> Step {
        Step::new(self.sink.label(), &self.site)
    }
}

impl<K: Sink> Ship for WriteTo<K> {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        params.put_schema(&self.columns)?;
        params.put(&(&self.sink, &self.stage, &self.site))
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        let columns = params.take_schema()?;
        let (sink, stage, site) = (params.take()?, params.take()?, params.take()?);
        Ok(WriteTo { sink, stage, columns, site })
    }
}

impl<T: Row, K: Sink> Terminal<T> for WriteTo<K> {
    fn run<C: Chain<Out = T>>(&self, chain: &C, task: &Task<'_>, out: &mut dyn Output) -> Result<()> {
        self.write(task, out, |part| Columns::<T>::new().run(chain, task, part))
    }

    fn schema(&self) -> SchemaRef {
        schema::<T>()
    }

    fn steps(&self, steps: &mut Vec<Step>) {
        steps.push(self.step());
    }
}

/// Takes the batches of a chain's end.
struct Part<'t, P> {
    writer: Box<dyn PartWriter<Part = P> + 't>,
    columns: SchemaRef,
    limits: BatchLimits,
}

impl<P> Output for Part<'_, P> {
    fn limits(&self) -> BatchLimits {
        self.limits
    }

    fn push(&mut self, _: usize, batch: RecordBatch) -> Result<ControlFlow<()>> {
        let named = RecordBatch::try_new(Arc::clone(&self.columns), batch.columns().to_vec())?;
        self.writer.write(&named)?;
        Ok(ControlFlow::Continue(()))
    }

    fn note(&mut self, _: Vec<u8>) {}
}

fn part_to_note<P: Param>(part: &P) -> Result<Vec<u8>> {
    postcard::to_stdvec(part).map_err(|e| Error::bug("a part of an output cannot be sent").because(e))
}

fn note_to_part<P: Param>(note: &[u8]) -> Result<P> {
    postcard::from_bytes(note).map_err(|e| Error::bug("a part of an output cannot be read").because(e))
}
