//! `write_to`: rows go to a sink, in parts that one commit publishes.
//!
//! The driver begins the publish, tasks write a part each and send a note of it, the driver decides the checks (`gated`) and
//! commits the parts that it counts. The engine's own files are such a sink (`file_sink`).

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion_physical_plan::ExecutionPlan;
use kiln_planner::Site;

use super::gated::{Terms, decide};
use super::unique;
use crate::chain::{Chain, Step};
use crate::checks::{Known, Observed, Watch, Watcher};
use crate::connect::{Begin, PartWriter, Resource, Sink, SinkRun, SinkTask};
use crate::context::Context;
use crate::dataset::{Dataset, Origin};
use crate::error::{Error, Result};
use crate::meter;
use crate::operators::Columns;
use crate::plan::Terminal;
use crate::row::Row;
use crate::ship::params::{ParamReader, ParamWriter, Ship};
use crate::ship::shared::Param;
use crate::source::{Adapter, Wanted};
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

    /// Told before they are planned that only these columns are wanted, where that is still open.
    fn wants_only(&self, _: &SchemaRef) {}

    /// How many rows their source has; nothing where it does not tell, or where these are other rows than the source's.
    ///
    /// # Errors
    /// Those of the source.
    fn count_source(&self) -> Result<Option<u64>>;

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

    fn count_source(&self) -> Result<Option<u64>> {
        self.chain.count_source()
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
        publish(self, sink, Terms::none(Arc::new(Schema::new(T::columns()))), Site::caller())
    }
}

/// Whether the run has published this before, and has reported that. A source that is planned has been asked already; then
/// the sink answers when the publish begins.
pub(super) fn published_before<R: Rows, K: Sink>(rows: &R, sink: &K) -> Result<bool> {
    Ok(!rows.is_planned() && sink.already_published(&SinkRun::new(rows.context().job_run()))?)
}

/// Publishes `rows` by `sink` if all that `terms` ask for holds.
pub(super) fn publish<R: Rows, K: Sink>(rows: &R, sink: K, terms: Terms, site: Site) -> Result<()> {
    let origin = rows.origin();
    origin.check()?;
    let run = SinkRun::new(origin.cx.job_run());
    let Terms { gate, given, written, .. } = &terms;
    let Begin::Begun { held, stage } = sink.begin(written, &run)? else { return Ok(()) };
    let mut known = Known { source: terms.source_rows(|| rows.count_source())?, ..Known::default() };
    let (given, columns) = (Arc::clone(given), Arc::clone(written));
    let end = WriteTo { sink: sink.clone(), stage, given, columns, watch: gate.watch().clone(), site };
    let plan = rows.end_in(end);
    let notes = match gate.watch().has_keys() {
        false => {
            let outcome = origin.cx.act_with(&plan, true)?;
            outcome.reports.into_iter().map(|report| report.payload).collect()
        }
        true => {
            let (notes, repeated) = unique::run(origin, plan, gate, &terms.given)?;
            known.repeated = repeated;
            notes
        }
    };
    let (mut parts, mut seen) = (Vec::with_capacity(notes.len()), Observed::default());
    for note in &notes {
        let (part, one) = from_note(note)?;
        parts.push(part);
        seen.add(one);
    }
    if gate.asks_before() {
        known.before = sink.rows_before(&held, &parts)?.map(|before| (before.replaced, before.kept));
    }
    // An error drops what is held, and that takes everything back.
    decide(&origin.cx, &terms, &sink.address(), seen, &known)?;
    // All slots wait for the commit.
    let slots = origin.cx.slots();
    run.run().times.of_driver(slots, || meter::waiting(sink.resource(), || sink.commit(held, parts, &run)))
}

/// Writes the rows of a partition as one part of a publish.
pub struct WriteTo<K: Sink> {
    sink: K,
    stage: K::Stage,
    /// As the rows have them, by the names of the target.
    given: SchemaRef,
    /// As the target has them.
    columns: SchemaRef,
    watch: Watch,
    site: Site,
}

impl<K: Sink> WriteTo<K> {
    /// Writes what `drive` puts out, and leaves a note of the part.
    pub(super) fn write(
        &self,
        task: &Task<'_>,
        out: &mut dyn Output,
        drive: impl FnOnce(&mut Part<'_, '_, K::Part>) -> Result<()>,
    ) -> Result<()> {
        let limits = out.limits();
        if self.watch.has_keys() {
            return unique::send(task.partition, out, |take| {
                self.write_part(task, limits, Some(take), drive)
            });
        }
        let note = self.write_part(task, limits, None, drive)?;
        out.note(note);
        Ok(())
    }

    fn write_part(
        &self,
        task: &Task<'_>,
        limits: BatchLimits,
        keys: Option<&mut dyn FnMut(u32, &[u8])>,
        drive: impl FnOnce(&mut Part<'_, '_, K::Part>) -> Result<()>,
    ) -> Result<Vec<u8>> {
        let to = SinkTask::new(task, &self.columns);
        task.rejects.replace(self.watch.bin());
        let resource = self.sink.resource();
        let mut part = Part {
            writer: meter::waiting(resource, || self.sink.open(&self.stage, &to))?,
            resource,
            given: Arc::clone(&self.given),
            adapter: self.adapter()?,
            watcher: Watcher::new(&self.watch, &self.given)?,
            keys,
            task,
            rows: 0,
            limits,
        };
        drive(&mut part)?;
        let Part { writer, watcher, .. } = part;
        let seen = watcher.finish(task.rejects.take());
        to_note(&(meter::waiting(resource, || writer.finish())?, seen))
    }

    /// What makes the target's columns of those of the rows, where they differ.
    fn adapter(&self) -> Result<Option<Adapter>> {
        if self.given == self.columns {
            return Ok(None);
        }
        let wanted = Wanted::columns(&self.columns);
        Adapter::of_source(&wanted, &self.sink.address(), &self.given).map(Some)
    }

    /// The columns that come out of a plan node that ends in this.
    pub(super) fn schema_or(&self, rows: SchemaRef) -> SchemaRef {
        if self.watch.has_keys() { unique::columns() } else { rows }
    }

    /// Names itself, for explain.
    pub(super) fn step(&self) -> Step {
        Step::new(self.sink.label(), &self.site)
    }
}

impl<K: Sink> Ship for WriteTo<K> {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        params.put_schema(&self.given)?;
        params.put_schema(&self.columns)?;
        params.put(&(&self.sink, &self.stage, &self.watch, &self.site))
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        let (given, columns) = (params.take_schema()?, params.take_schema()?);
        let (sink, stage) = (params.take()?, params.take()?);
        Ok(WriteTo { sink, stage, given, columns, watch: params.take()?, site: params.take()? })
    }
}

impl<T: Row, K: Sink> Terminal<T> for WriteTo<K> {
    fn run<C: Chain<Out = T>>(&self, chain: &C, task: &Task<'_>, out: &mut dyn Output) -> Result<()> {
        self.write(task, out, |part| Columns::<T>::new().run(chain, task, part))
    }

    fn schema(&self) -> SchemaRef {
        self.schema_or(crate::row::schema::<T>())
    }

    fn steps(&self, steps: &mut Vec<Step>) {
        steps.push(self.step());
    }
}

/// Takes the batches of a chain's end, or of a source.
pub(super) struct Part<'t, 'k, P> {
    writer: Box<dyn PartWriter<Part = P> + 't>,
    resource: Resource,
    given: SchemaRef,
    adapter: Option<Adapter>,
    watcher: Watcher<'t>,
    /// Who takes the keys of rows that must be unique.
    keys: Option<&'k mut dyn FnMut(u32, &[u8])>,
    task: &'t Task<'t>,
    /// Rows so far.
    rows: u64,
    limits: BatchLimits,
}

impl<P> Part<'_, '_, P> {
    /// Writes rows, the first of which has this number among those of its source's part, where that is known.
    pub(super) fn take(&mut self, batch: RecordBatch, first: Option<u64>) -> Result<()> {
        let Part { task, rows, .. } = self;
        let (task, before) = (*task, *rows);
        let place = |row: usize| {
            first.iter().for_each(|first| task.place.at(first + row as u64));
            match task.place.now().filter(|_| first.is_some()) {
                Some(place) => place.to_string(),
                None => format!("partition {}, row {}", task.partition, before + row as u64 + 1),
            }
        };
        self.rows += batch.num_rows() as u64;
        let named = RecordBatch::try_new(Arc::clone(&self.given), batch.columns().to_vec())?;
        let kept = self.watcher.look(named, task.rejects.borrow().as_ref(), &place)?;
        if kept.num_rows() == 0 {
            return Ok(());
        }
        if let Some(keys) = &mut self.keys {
            self.watcher.keys(&kept, keys)?;
        }
        match &self.adapter {
            None => meter::waiting(self.resource, || self.writer.write(&kept)),
            Some(adapter) => {
                let adapted = adapter.adapt(&kept.project(adapter.projection())?, |_| None)?;
                meter::waiting(self.resource, || self.writer.write(&adapted))
            }
        }
    }
}

impl<P> Output for Part<'_, '_, P> {
    fn limits(&self) -> BatchLimits {
        self.limits
    }

    fn push(&mut self, _: usize, batch: RecordBatch) -> Result<ControlFlow<()>> {
        self.take(batch, None)?;
        Ok(ControlFlow::Continue(()))
    }

    fn note(&mut self, _: Vec<u8>) {}
}

fn to_note<P: Param>(part: &(P, Observed)) -> Result<Vec<u8>> {
    postcard::to_stdvec(part).map_err(|e| Error::bug("a part of an output cannot be sent").because(e))
}

fn from_note<P: Param>(note: &[u8]) -> Result<(P, Observed)> {
    postcard::from_bytes(note).map_err(|e| Error::bug("a part of an output cannot be read").because(e))
}
