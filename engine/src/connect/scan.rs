//! `Scan`: a source outside of Kiln, in splits that are read as record batches.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};

use crate::checks::Reject;
use crate::error::{Error, Result};
use crate::job::{Input, NetworkShare, Resource};
use crate::row::BatchLimits;
use crate::ship::shared::Param;
use crate::task::Task;

/// A source of rows: a table of a database, an API, files.
///
/// The value travels to the executors with every stage that reads it, so it holds settings and no connections. What it
/// prints, by [`address`](Scan::address) and [`label`](Scan::label), must hold no secrets.
pub trait Scan: Param + Clone {
    /// What one task reads: a range of keys, a page, a piece of a file.
    type Split: Param + Clone;

    /// Where the rows come from, for errors and for the result of the run: `postgres://db.example/shop/orders`.
    fn address(&self) -> String;

    /// What `explain` and the progress call it: the method and what it reads, `read_postgres orders`.
    fn label(&self) -> String;

    /// Finds the columns and cuts the source into splits: once, in the driver, when the dataset is made.
    ///
    /// `wanted` are the columns of the row type; a column that is not among them need not be read. Without it, all
    /// columns are wanted. The splits must not depend on slots or executors, or the order of rows would. A source without rows has
    /// no splits.
    ///
    /// # Errors
    /// Given by the first action. Config for a column that cannot be read without loss, and for whatever else can be
    /// known before rows are read.
    fn plan(&self, wanted: Option<&SchemaRef>) -> Result<ScanPlan<Self::Split>>;

    /// What a task waits for while it waits for rows: the run reports what limited it.
    fn resource(&self) -> Resource {
        Resource::Source
    }

    /// For a source that knows when it could not send because of the network: the share of the time of its statements or
    /// replies. It is asked in the driver, at the end of the run, and given what [`plan`](Scan::plan) holds.
    fn network_share(&self, _: &Hold) -> Option<NetworkShare> {
        None
    }

    /// How many rows the source has at the snapshot that `splits` are read from; nothing unless a source can tell without
    /// reading them all. It is asked only where a check wants to know, in the driver and before any row is read.
    ///
    /// The count must not follow from the splits: a gap between two of them is one of the faults that it is to find. `hold`
    /// is what [`plan`](Scan::plan) has kept open.
    ///
    /// # Errors
    /// By the failing operation.
    fn count_rows(&self, _splits: &[Self::Split], _hold: &Hold) -> Result<Option<u64>> {
        Ok(None)
    }

    /// Opens a split in a task. The same split is opened again after a failure and must give the same rows.
    ///
    /// # Errors
    /// Transient for what may go away by itself: the task runs again.
    fn open<'t>(
        &'t self,
        split: &'t Self::Split,
        task: &'t ScanTask<'t>,
    ) -> Result<Box<dyn ScanBatches + 't>>;
}

/// What [`Scan::plan`] has found.
pub struct ScanPlan<S> {
    /// The columns that readers give, as the source has them. The engine converts them to those of the row type where
    /// that loses nothing, and refuses the source otherwise, before any row is read.
    pub schema: SchemaRef,
    /// The splits, in the order of their rows.
    pub splits: Vec<PlannedSplit<S>>,
    /// Bytes of all rows as columns, about: how many partitions an exchange of them gets follows from it.
    pub row_bytes: u64,
    /// What the result of the run reports as read.
    pub input: Option<Input>,
    /// What must stay open in the driver as long as the dataset lives: the connection that exports a snapshot.
    pub hold: Hold,
}

impl<S> ScanPlan<S> {
    /// A source without rows and columns.
    pub(crate) fn empty() -> ScanPlan<S> {
        ScanPlan {
            schema: Arc::new(Schema::empty()),
            splits: Vec::new(),
            row_bytes: 0,
            input: None,
            hold: None,
        }
    }
}

/// Something that a plan keeps open in the driver; it is dropped with the last dataset that reads by the plan.
pub type Hold = Option<Arc<dyn Any + Send + Sync>>;

/// A split and what is known of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlannedSplit<S> {
    /// What a task opens.
    pub split: S,
    /// Rows, about, where that is known.
    pub rows: Option<u64>,
    /// Bytes that will be read from the source, about: the progress counts them.
    pub bytes: u64,
}

/// The rows of one split, batch by batch.
pub trait ScanBatches {
    /// The next batch, with the columns of [`ScanTask::schema`] in their order; nothing at the end.
    ///
    /// # Errors
    /// Data when a row is not what it should be, with its place; else by the failing operation.
    fn next_batch(&mut self) -> Result<Option<RecordBatch>>;

    /// Bytes read from the source so far.
    fn bytes_read(&self) -> u64;
}

/// What a task asks of a source, and what it may use.
pub struct ScanTask<'a> {
    task: &'a Task<'a>,
    schema: &'a SchemaRef,
    limits: BatchLimits,
    /// Rows that were given since [`enter`](ScanTask::enter).
    given: Cell<u64>,
    /// The numbers of the rows of the part that were rejected.
    rejected: RefCell<Rejected>,
}

type Rejected = Rc<RefCell<Vec<u64>>>;

impl<'a> ScanTask<'a> {
    pub(crate) fn new(task: &'a Task<'a>, schema: &'a SchemaRef, limits: BatchLimits) -> ScanTask<'a> {
        ScanTask { task, schema, limits, given: Cell::new(0), rejected: RefCell::default() }
    }

    /// The columns to give: those of the plan.
    pub fn schema(&self) -> &SchemaRef {
        self.schema
    }

    /// Where a batch ends: at so many rows or so many bytes, whichever it reaches first.
    pub fn limits(&self) -> BatchLimits {
        self.limits
    }

    /// The number of the task's partition, from 0.
    pub fn partition(&self) -> usize {
        self.task.partition
    }

    /// Which attempt at the partition this is, from 0.
    pub fn attempt(&self) -> u32 {
        self.task.env.attempt
    }

    /// Fails when the task is to stop: to be called in long waits; the engine calls it after every batch.
    ///
    /// # Errors
    /// Of class cancelled.
    pub fn check(&self) -> Result<()> {
        self.task.check()
    }

    /// The rows from here on come from `part`, which is a `what`, and are counted in `unit` from `first` up:
    /// `("table", "orders", "row", 1)`. An error about one of them, also one in a closure, names all of it.
    pub fn enter(&self, what: &'static str, part: &str, unit: &'static str, first: u64) {
        let rejected: Rejected = Rc::default();
        self.rejected.replace(Rc::clone(&rejected));
        let find = move |given| {
            // Both are in ascending order: the row is behind those that were rejected before it.
            let row = rejected.borrow().iter().fold(given, |row, rejected| row + u64::from(*rejected <= row));
            Some(first + row)
        };
        self.enter_finding(what, part, unit, Box::new(find));
    }

    /// Hands over a row that cannot be converted: it is left out and kept with its place and the reason, if the load keeps
    /// such rows. `row` counts those of the part that was entered, from 0 up and with those that were rejected before;
    /// `record` is the row as text, JSON where that is possible. Batches must not hold a part of it.
    ///
    /// # Errors
    /// `error` itself where no row may be rejected; of class data when it is one row too many.
    pub fn reject(&self, row: u64, record: &str, error: Error) -> Result<()> {
        let bin = self.task.rejects.borrow();
        let Some(bin) = bin.as_ref() else { return Err(error) };
        // Places count the rows that are given.
        let before = self.rejected.borrow().borrow().len() as u64;
        self.task.place.at(row.saturating_sub(before));
        let place = match self.task.place.now() {
            Some(place) => place.to_string(),
            None => format!("partition {}, row {}", self.task.partition, row + 1),
        };
        self.rejected.borrow().borrow_mut().push(row);
        let error = error.to_string().lines().next().unwrap_or_default().to_owned();
        bin.take(Reject { place, record: record.to_owned(), error })
    }

    /// The same, where `find` gives the place of a row by its number; it is called when somebody asks.
    pub(crate) fn enter_finding(
        &self,
        what: &'static str,
        part: &str,
        unit: &'static str,
        find: Box<dyn FnMut(u64) -> Option<u64>>,
    ) {
        self.given.set(0);
        self.task.place.enter_finding(what, part, unit, find);
    }

    /// The task, for readers of the engine's own.
    pub(crate) fn task(&self) -> &'a Task<'a> {
        self.task
    }

    /// The number of the next row among those of its part.
    pub(crate) fn next_row(&self) -> u64 {
        self.given.get()
    }

    /// So many rows have been passed on.
    pub(crate) fn has_given(&self, rows: usize) {
        self.given.set(self.given.get() + rows as u64);
    }
}
