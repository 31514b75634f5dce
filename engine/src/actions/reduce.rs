//! `reduce`: all rows become one.

use std::marker::PhantomData;
use std::panic::AssertUnwindSafe;

use arrow::datatypes::SchemaRef;
use kiln_planner::Site;

use crate::chain::{Chain, Sink, Step};
use crate::dataset::Dataset;
use crate::error::Result;
use crate::job;
use crate::plan::Terminal;
use crate::row::{Row, ipc, schema};
use crate::ship::closure::{Closure, Code};
use crate::ship::params::{ParamReader, ParamWriter, Ship};
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
        self.origin.check()?;
        let code = Code::new(f, Site::caller());
        let end = ReduceAll { code: code.clone(), _row: PhantomData };
        let parts: Vec<T> = ipc::rows_of(&self.origin.cx.act(&self.end_in(end))?.batches)?;
        // The closure runs in the driver's own thread, too, and may panic there as well.
        job::catch(AssertUnwindSafe(|| Ok(parts.into_iter().reduce(|a, b| (*code)(a, b)))))
    }
}

/// Reduces the rows of a partition.
struct ReduceAll<T, F> {
    code: Code<F>,
    _row: PhantomData<fn() -> T>,
}

impl<T, F: Send + Sync + 'static> Ship for ReduceAll<T, F> {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        self.code.ship(params)
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        Ok(ReduceAll { code: Code::rebuild(params)?, _row: PhantomData })
    }
}

impl<T: Row, F: Fn(T, T) -> T + Send + Sync + 'static> Terminal<T> for ReduceAll<T, F> {
    fn run<C: Chain<Out = T>>(&self, chain: &C, task: &Task<'_>, out: &mut dyn Output) -> Result<()> {
        let mut sink = ReduceSink { code: &*self.code, acc: None };
        chain.drive(task, &mut sink)?;
        let mut writer = PartitionedWriter::<T>::new(1, out);
        sink.acc.iter().for_each(|acc: &T| writer.push(0, acc.view()));
        writer.finish()
    }

    fn schema(&self) -> SchemaRef {
        schema::<T>()
    }

    fn steps(&self, steps: &mut Vec<Step>) {
        steps.push(Step::new("reduce", &self.code.site));
    }

    fn closures(&self, closures: &mut Vec<Closure>) {
        closures.push(self.code.describe("reduce"));
    }
}

struct ReduceSink<'a, T, F> {
    code: &'a F,
    acc: Option<T>,
}

impl<T: Row, F: Fn(T, T) -> T> Sink<T> for ReduceSink<'_, T, F> {
    #[inline]
    fn push(&mut self, row: T::View<'_>) {
        let row = T::own(row);
        self.acc = Some(match self.acc.take() {
            Some(acc) => (self.code)(acc, row),
            None => row,
        });
    }
}
