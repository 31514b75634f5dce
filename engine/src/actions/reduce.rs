//! `reduce`: all rows become one.

use std::marker::PhantomData;
use std::panic::AssertUnwindSafe;

use arrow::datatypes::SchemaRef;
use kiln_planner::Site;

use super::joining::Joining;
use crate::chain::{Chain, Plain, RowConsumer, Step, With};
use crate::dataset::Dataset;
use crate::error::Result;
use crate::job;
use crate::plan::Terminal;
use crate::row::{Row, ipc, schema};
use crate::ship::closure::Closure;
use crate::ship::params::{ParamReader, ParamWriter, Ship};
use crate::ship::shared::{Param, Shared};
use crate::shuffle::PartitionedWriter;
use crate::task::{Output, Task};

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// Reduces all rows to one, or to none if there are no rows. `f` must be associative; rows are
    /// taken in the order of the partitions.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// assert_eq!(cx.range(0..101).reduce(|a, b| a + b)?, Some(5050));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Whatever stops the job, with its class and place.
    #[track_caller]
    pub fn reduce<F>(&self, f: F) -> Result<Option<T>>
    where
        F: Fn(T, T) -> T + Send + Sync + 'static,
    {
        self.reduce_by(Plain::new(f, Site::caller()))
    }

    /// `reduce` with a value from [`Context::share`](crate::Context::share) as the first argument.
    ///
    /// # Errors
    /// Whatever stops the job, with its class and place.
    #[track_caller]
    pub fn reduce_with<P: Param, F>(&self, shared: &Shared<P>, f: F) -> Result<Option<T>>
    where
        F: Fn(&P, T, T) -> T + Send + Sync + 'static,
    {
        self.reduce_by(With::new(shared, f, Site::caller()))
    }

    fn reduce_by<G: Joining<T>>(&self, func: G) -> Result<Option<T>> {
        self.origin.check()?;
        let end = ReduceAll { func: func.clone(), _row: PhantomData };
        let parts: Vec<T> = ipc::rows_of(&self.origin.cx.act(&self.end_in(end))?.batches)?;
        // The closure runs in the driver's own thread, too, and may panic there as well.
        job::catch(AssertUnwindSafe(|| Ok(parts.into_iter().reduce(|a, b| func.join(a, b)))))
    }
}

/// Reduces the rows of a partition.
struct ReduceAll<T, G> {
    func: G,
    _row: PhantomData<fn() -> T>,
}

impl<T, G: Ship> Ship for ReduceAll<T, G> {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        self.func.ship(params)
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        Ok(ReduceAll { func: G::rebuild(params)?, _row: PhantomData })
    }
}

impl<T: Row, G: Joining<T>> Terminal<T> for ReduceAll<T, G> {
    fn run<C: Chain<Out = T>>(&self, chain: &C, task: &Task<'_>, out: &mut dyn Output) -> Result<()> {
        let mut sink = ReduceSink { func: &self.func, acc: None };
        chain.drive(task, &mut sink)?;
        let mut writer = PartitionedWriter::<T>::new(1, out);
        sink.acc.iter().for_each(|acc: &T| writer.push(0, acc.view()));
        writer.finish()
    }

    fn schema(&self) -> SchemaRef {
        schema::<T>()
    }

    fn steps(&self, steps: &mut Vec<Step>) {
        steps.push(Step::new("reduce", self.func.site()));
    }

    fn closures(&self, closures: &mut Vec<Closure>) {
        closures.push(self.func.describe("reduce"));
    }
}

struct ReduceSink<'a, T, G> {
    func: &'a G,
    acc: Option<T>,
}

impl<T: Row, G: Joining<T>> RowConsumer<T> for ReduceSink<'_, T, G> {
    #[inline]
    fn push(&mut self, row: T::View<'_>) {
        let row = T::own(row);
        self.acc = Some(match self.acc.take() {
            Some(acc) => self.func.join(acc, row),
            None => row,
        });
    }
}
