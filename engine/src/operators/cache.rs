//! `cache`: rows that are computed once and kept.

use std::marker::PhantomData;
use std::ops::ControlFlow;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use kiln_planner::{Movement, Site};

use super::Columns;
use crate::chain::{Chain, Step};
use crate::dataset::Dataset;
use crate::error::Result;
use crate::plan::Terminal;
use crate::row::{Row, schema};
use crate::ship::params::{ParamReader, ParamWriter, Ship};
use crate::task::{BatchLimits, Output, Task};

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// Keeps the rows in memory once an action has computed them, for as long as the context lives.
    ///
    /// Rows that are lost with an executor are computed again from their sources.
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
        let kept = self.exchange(Kept::new(), Movement::Keep, "cache keeps these rows", Site::caller());
        Dataset::from_plan(kept, self.origin)
    }
}

/// Rows as columns, each partition under its own number, so that it is read as what it was.
struct Kept<T>(PhantomData<fn() -> T>);

impl<T> Kept<T> {
    fn new() -> Self {
        Kept(PhantomData)
    }
}

impl<T> Ship for Kept<T> {
    fn ship(&self, _: &mut ParamWriter) -> Result<()> {
        Ok(())
    }
    fn rebuild(_: &mut ParamReader<'_>) -> Result<Self> {
        Ok(Kept::new())
    }
}

impl<T: Row> Terminal<T> for Kept<T> {
    fn run<C: Chain<Out = T>>(&self, chain: &C, task: &Task<'_>, out: &mut dyn Output) -> Result<()> {
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
