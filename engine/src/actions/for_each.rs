//! `for_each`: calls a closure for every row, where the row is.

use std::marker::PhantomData;

use arrow::datatypes::SchemaRef;
use kiln_planner::Site;

use crate::chain::{Chain, Func, FuncInfo, Plain, Sink, Step, With};
use crate::dataset::Dataset;
use crate::error::Result;
use crate::plan::Terminal;
use crate::row::{Row, schema};
use crate::ship::closure::Closure;
use crate::ship::params::{ParamReader, ParamWriter, Ship};
use crate::ship::shared::{Param, Shared};
use crate::task::{Output, Task};

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// Calls `f` for every row, in the process that computes it, for its effect: on executors nothing
    /// of the driver's process is reached. Nothing comes back.
    ///
    /// A task that is run again, because it failed or its executor was lost, calls `f` again for the
    /// same rows. [`for_each_partition`](Dataset::for_each_partition) can set up something once for
    /// many rows, and fail.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// use std::sync::atomic::{AtomicU64, Ordering};
    /// static SUM: AtomicU64 = AtomicU64::new(0);
    /// let cx = kiln::Context::local(2);
    /// cx.range(0..10).for_each(|n| _ = SUM.fetch_add(n, Ordering::Relaxed))?;
    /// assert_eq!(SUM.load(Ordering::Relaxed), 45);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Whatever stops the job, with its class and place.
    #[track_caller]
    pub fn for_each<F>(&self, f: F) -> Result<()>
    where
        F: for<'a> Fn(T::View<'a>) + Send + Sync + 'static,
    {
        self.for_each_by(Plain::new(f, Site::caller()))
    }

    /// `for_each` with a value from [`Context::share`](crate::Context::share) as the first argument.
    ///
    /// # Errors
    /// Whatever stops the job, with its class and place.
    #[track_caller]
    pub fn for_each_with<P: Param, F>(&self, shared: &Shared<P>, f: F) -> Result<()>
    where
        F: for<'a> Fn(&'a P, T::View<'a>) + Send + Sync + 'static,
    {
        self.for_each_by(With::new(shared, f, Site::caller()))
    }

    fn for_each_by<G>(&self, func: G) -> Result<()>
    where
        G: FuncInfo + for<'a> Func<'a, T::View<'a>, Out = ()>,
    {
        self.origin.check()?;
        let end = ForEach { func, _row: PhantomData };
        self.origin.cx.act_with(&self.end_in(end), true).map(drop)
    }
}

/// Calls a closure for the rows of a partition.
struct ForEach<T, G> {
    func: G,
    _row: PhantomData<fn() -> T>,
}

impl<T, G: Ship> Ship for ForEach<T, G> {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        self.func.ship(params)
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        Ok(ForEach { func: G::rebuild(params)?, _row: PhantomData })
    }
}

impl<T: Row, G> Terminal<T> for ForEach<T, G>
where
    G: FuncInfo + for<'a> Func<'a, T::View<'a>, Out = ()>,
{
    fn run<C: Chain<Out = T>>(&self, chain: &C, task: &Task<'_>, _: &mut dyn Output) -> Result<()> {
        chain.drive(task, &mut Each(&self.func))
    }

    fn schema(&self) -> SchemaRef {
        schema::<T>()
    }

    fn steps(&self, steps: &mut Vec<Step>) {
        steps.push(Step::new("for_each", self.func.site()));
    }

    fn closures(&self, closures: &mut Vec<Closure>) {
        closures.push(self.func.describe("for_each"));
    }
}

struct Each<'a, G>(&'a G);

impl<T: Row, G> Sink<T> for Each<'_, G>
where
    G: for<'a> Func<'a, T::View<'a>, Out = ()>,
{
    #[inline]
    fn push(&mut self, row: T::View<'_>) {
        let func = self.0;
        func.call(T::narrow(row));
    }
}
