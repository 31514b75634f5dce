//! `aggregate`: all rows become one value of another type. `fold`, in its own file, is a case of it.
//!
//! Each task starts with the zero and takes in its rows; the driver joins what the tasks have made, in
//! the order of the partitions. So the result is the same wherever tasks ran, also for floats.

use std::marker::PhantomData;
use std::panic::AssertUnwindSafe;

use arrow::datatypes::SchemaRef;
use kiln_planner::Site;

use crate::chain::{Chain, FuncInfo, Plain, RowConsumer, Step, With};
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
    /// Takes all rows into one value: each task starts with `zero` and calls `seq` for every row of its
    /// partition, and `comb` joins what the tasks have made, in the order of the partitions.
    ///
    /// `zero` must be neutral: it is used once per partition. Without rows the result is `zero`.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let (sum, count) = cx.range(0..10).aggregate(
    ///     (0u64, 0u64),
    ///     |(sum, count), n| (sum + n, count + 1),
    ///     |a, b| (a.0 + b.0, a.1 + b.1),
    /// )?;
    /// assert_eq!((sum, count), (45, 10));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Whatever stops the job, with its class and place.
    #[track_caller]
    pub fn aggregate<A: Row, F, M>(&self, zero: A, seq: F, comb: M) -> Result<A>
    where
        F: for<'a> Fn(A, T::View<'a>) -> A + Send + Sync + 'static,
        M: Fn(A, A) -> A,
    {
        self.aggregate_by(zero, Plain::new(seq, Site::caller()), comb)
    }

    /// `aggregate` with a value from [`Context::share`](crate::Context::share) as the first argument of
    /// `seq`. `comb` runs in the driver's process and may use what it likes.
    ///
    /// # Errors
    /// Whatever stops the job, with its class and place.
    #[track_caller]
    pub fn aggregate_with<P: Param, A: Row, F, M>(
        &self,
        shared: &Shared<P>,
        zero: A,
        seq: F,
        comb: M,
    ) -> Result<A>
    where
        F: for<'a> Fn(&P, A, T::View<'a>) -> A + Send + Sync + 'static,
        M: Fn(A, A) -> A,
    {
        self.aggregate_by(zero, With::new(shared, seq, Site::caller()), comb)
    }

    /// Both of them, and `fold`.
    pub(super) fn aggregate_by<A: Row, G: Seq<A, T>>(
        &self,
        zero: A,
        seq: G,
        comb: impl Fn(A, A) -> A,
    ) -> Result<A> {
        self.origin.check()?;
        let end = AggregateAll { zero: A::own(zero.view()), seq, _row: PhantomData::<fn() -> T> };
        let parts: Vec<A> = ipc::rows_of(&self.origin.cx.act(&self.end_in(end))?.batches)?;
        // The closure runs in the driver's own thread, too, and may panic there as well.
        job::catch(AssertUnwindSafe(|| Ok(parts.into_iter().reduce(comb).unwrap_or(zero))))
    }
}

/// Takes rows into an accumulator.
pub(super) trait Seq<A, T: Row>: FuncInfo {
    /// The action, as users call it.
    const NAME: &'static str = "aggregate";

    /// `acc` with `row` in it.
    fn add(&self, acc: A, row: T::View<'_>) -> A;
}

impl<A, T: Row, F> Seq<A, T> for Plain<F>
where
    F: for<'a> Fn(A, T::View<'a>) -> A + Send + Sync + 'static,
{
    #[inline]
    fn add(&self, acc: A, row: T::View<'_>) -> A {
        (self.code())(acc, row)
    }
}

impl<A, T: Row, P: Param, F> Seq<A, T> for With<P, F>
where
    F: for<'a> Fn(&P, A, T::View<'a>) -> A + Send + Sync + 'static,
{
    #[inline]
    fn add(&self, acc: A, row: T::View<'_>) -> A {
        (self.code())(self.shared(), acc, row)
    }
}

/// Aggregates the rows of a partition.
struct AggregateAll<A, T, G> {
    zero: A,
    seq: G,
    _row: PhantomData<fn() -> T>,
}

impl<A: Row, T, G: Ship> Ship for AggregateAll<A, T, G> {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        params.put_rows([&self.zero])?;
        self.seq.ship(params)
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        Ok(AggregateAll { zero: params.take_row()?, seq: G::rebuild(params)?, _row: PhantomData })
    }
}

impl<A: Row, T: Row, G: Seq<A, T>> Terminal<T> for AggregateAll<A, T, G> {
    fn run<C: Chain<Out = T>>(&self, chain: &C, task: &Task<'_>, out: &mut dyn Output) -> Result<()> {
        let acc = Some(A::own(self.zero.view()));
        let mut sink = AggregateSink { seq: &self.seq, acc, _row: PhantomData::<fn() -> T> };
        chain.drive(task, &mut sink)?;
        let mut writer = PartitionedWriter::<A>::new(1, out);
        sink.acc.iter().for_each(|acc| writer.push(0, acc.view()));
        writer.finish()
    }

    fn schema(&self) -> SchemaRef {
        schema::<A>()
    }

    fn steps(&self, steps: &mut Vec<Step>) {
        steps.push(Step::new(G::NAME, self.seq.site()));
    }

    fn closures(&self, closures: &mut Vec<Closure>) {
        closures.push(self.seq.describe(G::NAME));
    }
}

struct AggregateSink<'a, A, T, G> {
    seq: &'a G,
    /// Empty only while the closure has it.
    acc: Option<A>,
    _row: PhantomData<fn() -> T>,
}

impl<A: Row, T: Row, G: Seq<A, T>> RowConsumer<T> for AggregateSink<'_, A, T, G> {
    #[inline]
    fn push(&mut self, row: T::View<'_>) {
        self.acc = self.acc.take().map(|acc| self.seq.add(acc, row));
    }
}
