//! `persist`, `cache` and `unpersist`: rows that are computed once and kept.

use std::marker::PhantomData;
use std::ops::ControlFlow;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use kiln_planner::{ExchangeExec, Movement, Site};

use super::Columns;
use crate::chain::{Chain, Step};
use crate::dataset::Dataset;
use crate::error::Result;
use crate::memory::Level;
use crate::plan::Terminal;
use crate::row::{Row, schema};
use crate::ship::params::{ParamReader, ParamWriter, Ship};
use crate::task::{BatchLimits, Output, Task};

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// [`persist`](Dataset::persist) in memory while there is room, then in temporary files.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let squares = cx.range(0..1000).map(|n| n * n).cache();
    /// assert_eq!(squares.count()?, 1000);              // computes them
    /// assert_eq!(squares.top(1, |n| n)?, [998_001]);   // reads them
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn cache(self) -> Dataset<T> {
        self.kept(Level::Auto, "cache keeps these rows", Site::caller())
    }

    /// Keeps the rows once an action has computed them, until [`unpersist`](Dataset::unpersist) or for
    /// as long as the context lives.
    ///
    /// Each partition is kept by the process that computed it. Rows that are lost with an executor
    /// are computed again from their sources.
    ///
    /// An action looks no further than to kept rows, so a loop that keeps every round and lets the last one go
    /// pays for one round in each. Of every round stay a few kilobytes in the driver: how its rows could be
    /// computed again. [`checkpoint`](Dataset::checkpoint) leaves those behind, too.
    ///
    /// An action that finds no room for them fails at [`Level::Memory`], with an error of class
    /// resource.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// use kiln::Level;
    /// let cx = kiln::Context::local(2);
    /// let squares = cx.range(0..1000).map(|n| n * n).persist(Level::Disk);
    /// assert_eq!(squares.count()?, 1000);              // computes and writes them
    /// assert_eq!(squares.top(1, |n| n)?, [998_001]);   // reads them
    /// squares.unpersist();
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn persist(self, level: Level) -> Dataset<T> {
        let reason = match level {
            Level::Auto => "persist keeps these rows",
            Level::Memory => "persist keeps these rows in memory",
            Level::Disk => "persist keeps these rows on disk",
        };
        self.kept(level, reason, Site::caller())
    }

    fn kept(self, level: Level, reason: &str, site: Site) -> Dataset<T> {
        let kept = self.exchange(Kept::new(level), Movement::Keep, reason, site);
        Dataset::from_plan(kept, self.origin)
    }
}

impl<T: Row> Dataset<T> {
    /// Drops the rows that `persist` or `cache` keeps, in every process, now or after the actions that
    /// are reading them. The dataset stays usable: its rows are computed again by every action.
    ///
    /// Only the dataset that `persist` gave, or a clone of it, has rows to drop; for every other
    /// nothing happens.
    pub fn unpersist(&self) {
        let exchange = self.origin.inputs.first().and_then(|plan| plan.downcast_ref::<ExchangeExec>());
        if let Some(kept) = exchange.filter(|exchange| exchange.movement == Movement::Keep) {
            self.origin.cx.unpersist(kept.id);
        }
    }
}

/// Rows as columns, each partition under its own number, so that it is read as what it was.
struct Kept<T> {
    level: Level,
    _row: PhantomData<fn() -> T>,
}

impl<T> Kept<T> {
    fn new(level: Level) -> Self {
        Kept { level, _row: PhantomData }
    }
}

impl<T> Ship for Kept<T> {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        params.put(&self.level)
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        Ok(Kept::new(params.take()?))
    }
}

impl<T: Row> Terminal<T> for Kept<T> {
    fn run<C: Chain<Out = T>>(&self, chain: &C, task: &Task<'_>, out: &mut dyn Output) -> Result<()> {
        out.keep_at(self.level);
        Columns::<T>::new().run(chain, task, &mut InPlace { partition: task.partition, out })
    }

    fn schema(&self) -> SchemaRef {
        schema::<T>()
    }

    fn steps(&self, _: &mut Vec<Step>) {}
}

/// Puts everything under one partition.
struct InPlace<'a> {
    partition: usize,
    out: &'a mut dyn Output,
}

impl Output for InPlace<'_> {
    fn limits(&self) -> BatchLimits {
        self.out.limits()
    }

    fn push(&mut self, _: usize, batch: RecordBatch) -> Result<ControlFlow<()>> {
        self.out.push(self.partition, batch)
    }

    fn note(&mut self, note: Vec<u8>) {
        self.out.note(note);
    }
}
