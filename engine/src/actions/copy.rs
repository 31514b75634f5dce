//! `copy`: the batches of a source go to a sink as they are, without a row type.
//!
//! This is what a bulk load is made of: its columns are known when it runs, not when it is compiled.

use std::ops::ControlFlow;
use std::sync::{Arc, OnceLock};

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, SchemaRef};
use datafusion_physical_plan::ExecutionPlan;
use kiln_planner::Site;

use super::Write;
use super::write_to::{Rows, WriteTo, publish, published_before};
use crate::chain::Step;
use crate::connect::{Scan, Sink};
use crate::context::Context;
use crate::dataset::Origin;
use crate::error::Result;
use crate::plan::{Operator, OperatorExec};
use crate::ship::closure::Closure;
use crate::ship::params::{ParamReader, ParamWriter, Ship};
use crate::ship::table;
use crate::sources::Planned;
use crate::task::{Output, Task};

impl Context {
    /// The rows of a source as it has them, to be written somewhere else: columns and types are the source's, no row
    /// type is needed. The source is planned by the first method that needs it: a retry of a run that has published does
    /// not ask it anything.
    ///
    /// ```no_run
    /// # use kiln::connect::Scan;
    /// # fn job(cx: kiln::Context, orders: impl Scan) -> kiln::Result<()> {
    /// cx.copy(orders).write().partition_by(["day"]).mode(kiln::Mode::Overwrite).parquet("s3://lake/orders")
    /// # }
    /// ```
    #[track_caller]
    pub fn copy<S: Scan>(&self, scan: S) -> Copied<S> {
        Copied { cx: self.clone(), scan, site: Site::caller(), planned: OnceLock::new() }
    }
}

/// The rows of a source as they are; see [`Context::copy`].
#[must_use = "nothing is copied before it is written"]
pub struct Copied<S: Scan> {
    cx: Context,
    scan: S,
    site: Site,
    planned: OnceLock<(Planned<S>, Origin)>,
}

impl<S: Scan> Copied<S> {
    fn planned(&self) -> &(Planned<S>, Origin) {
        self.planned.get_or_init(|| Planned::all(&self.cx, self.scan.clone(), self.site.clone()))
    }

    /// The planned source, if it can be read.
    fn source(&self) -> Result<&Planned<S>> {
        let (source, origin) = self.planned();
        origin.check().map(|()| source)
    }

    /// The columns of the source.
    ///
    /// # Errors
    /// Why the source cannot be read.
    pub fn schema(&self) -> Result<SchemaRef> {
        Ok(Arc::clone(&self.source()?.given))
    }

    /// How many splits, and so tasks, there are.
    ///
    /// # Errors
    /// Why the source cannot be read.
    pub fn splits(&self) -> Result<usize> {
        Ok(self.source()?.splits())
    }

    /// The first rows, at most so many, to look at them. Tasks stop once they have enough.
    ///
    /// # Errors
    /// Whatever stops the job, with its class and place.
    pub fn take(&self, rows: usize) -> Result<Vec<RecordBatch>> {
        let head = Arc::new(Head { source: self.source()?.clone(), rows });
        let origin = self.origin();
        table::anchor::<Head<S>>();
        let plan: Arc<dyn ExecutionPlan> = Arc::new(OperatorExec::new(head, Vec::new(), origin.partitions));
        let mut action = self.cx.begin(&plan)?;
        let (mut batches, mut left) = (Vec::new(), rows);
        for partition in 0..action.partitions() {
            if left == 0 {
                break;
            }
            for batch in action.run(partition..partition + 1)?.batches {
                batches.push(batch.slice(0, left.min(batch.num_rows())));
                left = left.saturating_sub(batch.num_rows());
            }
        }
        Ok(batches)
    }

    /// Writes the rows as files, with options; see [`Dataset::write`](crate::Dataset::write).
    #[track_caller]
    pub fn write(&self) -> Write<'_, Copied<S>> {
        Write::new(self, Site::caller())
    }

    /// Writes the rows to a target that implements [`Sink`], and publishes them in one commit.
    ///
    /// # Errors
    /// Those of the sink; else whatever stops the job, and then nothing is published.
    #[track_caller]
    pub fn write_to<K: Sink>(&self, sink: K) -> Result<()> {
        if published_before(self, &sink)? {
            return Ok(());
        }
        let columns = self.schema()?;
        publish(self, sink, columns, Site::caller())
    }
}

impl<S: Scan> Rows for Copied<S> {
    fn context(&self) -> &Context {
        &self.cx
    }

    fn is_planned(&self) -> bool {
        self.planned.get().is_some()
    }

    fn origin(&self) -> &Origin {
        &self.planned().1
    }

    fn fields(&self) -> Vec<Field> {
        self.planned().0.given.fields().iter().map(|field| field.as_ref().clone()).collect()
    }

    fn end_in<K: Sink>(&self, end: WriteTo<K>) -> Arc<dyn ExecutionPlan> {
        table::anchor::<CopyTo<S, K>>();
        let (source, origin) = self.planned();
        let copy = CopyTo { source: source.clone(), end };
        Arc::new(OperatorExec::new(Arc::new(copy), Vec::new(), origin.partitions))
    }
}

/// The first rows of a partition.
struct Head<S: Scan> {
    source: Planned<S>,
    rows: usize,
}

impl<S: Scan> Operator for Head<S> {
    fn run(&self, task: &Task<'_>, out: &mut dyn Output) -> Result<()> {
        let mut left = self.rows;
        self.source.read(task, &mut |batch| {
            let batch = batch.slice(0, left.min(batch.num_rows()));
            left -= batch.num_rows();
            let flow = out.push(0, batch)?;
            Ok(if left == 0 { ControlFlow::Break(()) } else { flow })
        })
    }

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.source.given)
    }

    fn steps(&self) -> Vec<Step> {
        vec![self.source.step()]
    }

    fn closures(&self) -> Vec<Closure> {
        Vec::new()
    }

    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        self.source.ship(params)?;
        params.put(&self.rows)
    }

    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        Ok(Head { source: Planned::rebuild(params)?, rows: params.take()? })
    }
}

/// A source, then a sink.
struct CopyTo<S: Scan, K: Sink> {
    source: Planned<S>,
    end: WriteTo<K>,
}

impl<S: Scan, K: Sink> Operator for CopyTo<S, K> {
    fn run(&self, task: &Task<'_>, out: &mut dyn Output) -> Result<()> {
        self.end.write(task, out, |part| {
            self.source.read(task, &mut |batch| match batch.num_rows() {
                0 => Ok(ControlFlow::Continue(())),
                _ => part.push(0, batch),
            })
        })
    }

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.source.given)
    }

    fn steps(&self) -> Vec<Step> {
        vec![self.source.step(), self.end.step()]
    }

    fn closures(&self) -> Vec<Closure> {
        Vec::new()
    }

    fn source_bytes(&self) -> u64 {
        self.source.bytes
    }

    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        self.source.ship(params)?;
        self.end.ship(params)
    }

    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        let source = Planned::rebuild(params)?;
        Ok(CopyTo { source, end: WriteTo::rebuild(params)? })
    }
}
