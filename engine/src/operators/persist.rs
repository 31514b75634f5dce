//! `persist`, `cache` and `unpersist`: computes rows once and keeps them.

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
    /// [`persist`](Dataset::persist) in memory as long as there is room, then in temporary files.
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

    /// Keeps the rows once an action has computed them, until [`unpersist`](Dataset::unpersist) or the
    /// end of the context.
    ///
    /// Each partition is kept by the process that computed it. Rows that are lost with an executor are
    /// recomputed from their sources.
    ///
    /// The plan of an action starts at the kept rows, so a loop that persists every round and
    /// unpersists the previous one computes only one round per iteration. The driver still keeps a few
    /// kilobytes per round: the lineage from which the rows can be recomputed.
    /// [`checkpoint`](Dataset::checkpoint) drops the lineage, too.
    ///
    /// At [`Level::Memory`], an action fails with a resource error when the rows do not fit.
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
    /// are reading them. The dataset stays usable, but every action computes its rows again.
    ///
    /// Only the dataset that `persist` returned, or a clone of it, has rows to drop. For all other
    /// datasets this does nothing.
    pub fn unpersist(&self) {
        let exchange = self.origin.inputs.first().and_then(|plan| plan.downcast_ref::<ExchangeExec>());
        if let Some(kept) = exchange.filter(|exchange| exchange.movement == Movement::Keep) {
            self.origin.cx.unpersist(kept.id);
        }
    }
}

/// Rows as columns. Each task writes to the partition of its own index, so that partitions stay what
/// they were.
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

/// Writes all rows to one partition.
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
