//! `scan`: the rows of any source that implements `Scan`; the engine's own files start here, too.
//!
//! A scan enters and is planned; a chain leaves that starts with its rows. What is here for all sources is the loop over
//! the batches of a task's split, the step from batches to rows, and the check of the columns. What a split is, and how
//! it is read, the scan knows.

use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::{RecordBatch, UInt64Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::SchemaRef;
use kiln_planner::Site;

use crate::chain::{Chain, RowConsumer, Step};
use crate::connect::{Hold, PlannedSplit, Scan, ScanPlan, ScanTask};
use crate::context::Context;
use crate::dataset::{Dataset, Origin};
use crate::error::{Error, Result};
use crate::meter;
use crate::row::{self, BATCH_BYTES, BatchLimits, Row, RowReader};
use crate::ship::closure::Closure;
use crate::ship::params::{ParamReader, ParamWriter, Ship};
use crate::source::{Adapter, Wanted};
use crate::task::{BatchSink, Task};

/// What is read at a time: columns stay in the cache until the chain has seen them.
pub(super) const LIMITS: BatchLimits = BatchLimits { rows: 8192, bytes: BATCH_BYTES };

impl Context {
    /// The rows of a source that implements [`Scan`], as rows of the type `T`.
    ///
    /// The source is planned now, in the driver: its columns are compared with those of the row type, and it is cut into
    /// splits, each a partition. Columns are found by their names, those of tuples and of plain rows by position; they
    /// are converted where that loses nothing, as those of files are.
    ///
    /// # Errors
    /// Given by the action: those of the scan, and data for a column that is missing or does not fit, with its name.
    #[track_caller]
    pub fn scan<T: Row, S: Scan>(&self, scan: S) -> Dataset<T, Scanned<T, S>> {
        dataset(self, scan, Site::caller())
    }
}

/// The rows of `scan`, planned now and read when an action asks.
pub(super) fn dataset<T: Row, S: Scan>(cx: &Context, scan: S, site: Site) -> Dataset<T, Scanned<T, S>> {
    let wanted = row::schema::<T>();
    let (source, origin) = Planned::new(cx, scan, site, Some(&wanted));
    let fits = adapter::<T>(&source.scan.address(), &source.given);
    let error = fits.err().filter(|_| origin.check().is_ok());
    Dataset::over(Scanned { source, _row: PhantomData }, origin.failing(error))
}

/// What makes the columns of `T` of those that a source gives; nothing if they are the same.
fn adapter<T: Row>(address: &str, given: &SchemaRef) -> Result<Option<Adapter>> {
    let wanted = Wanted::of::<T>(false, LIMITS.rows);
    if wanted.schema == *given {
        return Ok(None);
    }
    Adapter::of_source(&wanted, address, given).map(Some)
}

/// A source that is cut into splits.
pub struct Planned<S: Scan> {
    scan: S,
    splits: Arc<[S::Split]>,
    /// The columns that the scan gives.
    pub(crate) given: SchemaRef,
    /// Bytes that will be read, about.
    pub(crate) bytes: u64,
    label: Arc<str>,
    site: Site,
    /// Only in the driver.
    hold: Hold,
}

impl<S: Scan> Planned<S> {
    /// All columns of `scan`.
    pub(crate) fn all(cx: &Context, scan: S, site: Site) -> (Planned<S>, Origin) {
        Planned::new(cx, scan, site, None)
    }

    /// An error of the source is kept for the first action.
    pub(crate) fn new(cx: &Context, scan: S, site: Site, wanted: Option<&SchemaRef>) -> (Planned<S>, Origin) {
        let (plan, origin) = match scan.plan(wanted) {
            Ok(plan) => {
                plan.input.iter().for_each(|input| cx.job_run().read(input.clone()));
                scan.network_share(&plan.hold).into_iter().for_each(|share| cx.job_run().times.ask(share));
                let origin = Origin::source(cx, plan.splits.len().max(1), plan.row_bytes);
                (plan, origin)
            }
            Err(error) => (ScanPlan::empty(), Origin::broken(cx, error)),
        };
        let bytes = plan.splits.iter().map(|planned| planned.bytes).sum();
        let splits = plan.splits.into_iter().map(|PlannedSplit { split, .. }| split).collect();
        let label = scan.label().into();
        (Planned { scan, splits, given: plan.schema, bytes, label, site, hold: plan.hold }, origin)
    }

    /// Passes on the batches of the task's split.
    pub(crate) fn read(&self, task: &Task<'_>, take: &mut BatchSink<'_>) -> Result<()> {
        self.read_from(task, &mut |batch, _| take(batch))
    }

    /// The same, with the position of the rows.
    pub(crate) fn read_from(
        &self,
        task: &Task<'_>,
        take: &mut dyn FnMut(RecordBatch, &ScanTask<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        let Some(split) = self.splits.get(task.partition) else { return Ok(()) };
        let from = ScanTask::new(task, &self.given, LIMITS.min(task.env.limits()));
        let resource = self.scan.resource();
        let mut batches = meter::waiting(resource, || self.scan.open(split, &from))?;
        let mut counted = 0;
        loop {
            task.check()?;
            let batch = meter::waiting(resource, || batches.next_batch());
            let read = batches.bytes_read();
            task.count_bytes(read - counted);
            counted = read;
            let Some(batch) = batch? else { return Ok(()) };
            let rows = batch.num_rows();
            if take(batch, &from)?.is_break() {
                return Ok(());
            }
            from.has_given(rows);
        }
    }

    /// How many rows the source has, if it tells; only in the driver.
    pub(crate) fn count_rows(&self) -> Result<Option<u64>> {
        let counted = self.scan.count_rows(&self.splits, &self.hold);
        counted.map_err(|e| e.at("source", self.scan.address()))
    }

    /// How many splits there are.
    pub(crate) fn splits(&self) -> usize {
        self.splits.len()
    }

    /// Names itself, for explain.
    pub(crate) fn step(&self) -> Step {
        Step::new(&*self.label, &self.site)
    }
}

impl<S: Scan> Clone for Planned<S> {
    fn clone(&self) -> Self {
        Planned {
            scan: self.scan.clone(),
            splits: Arc::clone(&self.splits),
            given: Arc::clone(&self.given),
            bytes: self.bytes,
            label: Arc::clone(&self.label),
            site: self.site.clone(),
            hold: self.hold.clone(),
        }
    }
}

impl<S: Scan> Ship for Planned<S> {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        params.put(&self.scan)?;
        params.put_schema(&self.given)?;
        params.put(&(&*self.splits, self.bytes, &*self.label, &self.site))
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        let scan = params.take()?;
        let given = params.take_schema()?;
        let (splits, bytes, label, site): (Vec<S::Split>, _, String, _) = params.take()?;
        Ok(Planned { scan, splits: splits.into(), given, bytes, label: label.into(), site, hold: None })
    }
}

/// A chain that starts with the rows of a source.
pub struct Scanned<T, S: Scan> {
    source: Planned<S>,
    _row: PhantomData<fn() -> T>,
}

impl<T: Row, S: Scan> Chain for Scanned<T, S> {
    type Out = T;

    fn drive<K: RowConsumer<T>>(&self, task: &Task<'_>, sink: &mut K) -> Result<()> {
        let adapter = adapter::<T>(&self.source.scan.address(), &self.source.given)?;
        self.source.read_from(task, &mut |batch, from| {
            let batch = match &adapter {
                Some(adapter) => adapted(adapter, &batch, from)?,
                None => batch,
            };
            let rows = RowReader::<T>::open(&batch).map_err(|e| unreadable::<T>(e, &batch, from))?;
            let first = from.next_row();
            for i in 0..rows.len() {
                task.place.at(first + i as u64);
                sink.push(rows.get(i));
            }
            Ok(if sink.is_full() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })
    }

    fn source_bytes(&self) -> u64 {
        self.source.bytes
    }

    fn count_source(&self) -> Result<Option<u64>> {
        self.source.count_rows()
    }

    fn steps(&self, steps: &mut Vec<Step>) {
        steps.push(self.source.step());
    }

    fn closures(&self, _: &mut Vec<Closure>) {}
}

fn adapted(adapter: &Adapter, batch: &RecordBatch, from: &ScanTask<'_>) -> Result<RecordBatch> {
    let place = &from.task().place;
    adapter.adapt(&batch.project(adapter.projection())?, |row| {
        place.at(from.next_row() + row as u64);
        place.now().and_then(|place| place.position())
    })
}

/// The error about a batch, with the place of the row that it is about.
///
/// A reader opens a batch as a whole, so each row is looked at alone.
fn unreadable<T: Row>(error: Error, batch: &RecordBatch, from: &ScanTask<'_>) -> Error {
    let alone = |row| {
        let alone = take_record_batch(batch, &UInt64Array::from(vec![row])).ok()?;
        RowReader::<T>::open(&alone).err().map(|error| (row, error))
    };
    let place = &from.task().place;
    match (0..batch.num_rows() as u64).find_map(alone) {
        Some((row, error)) => {
            place.at(from.next_row() + row);
            place.tell(error, row)
        }
        None => error,
    }
}

impl<T, S: Scan> Clone for Scanned<T, S> {
    fn clone(&self) -> Self {
        Scanned { source: self.source.clone(), _row: PhantomData }
    }
}

impl<T: Row, S: Scan> Ship for Scanned<T, S> {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        self.source.ship(params)
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        Ok(Scanned { source: Planned::rebuild(params)?, _row: PhantomData })
    }
}

#[cfg(test)]
mod tests;
