//! `for_each`: calls a closure for every row, where the row is. `try_for_each`, in its own file, is the
//! same work with a closure that may fail.

use std::marker::PhantomData;

use arrow::datatypes::SchemaRef;
use kiln_planner::Site;

use super::ending::Ending;
use crate::chain::{Chain, Func, FuncInfo, Plain, RowConsumer, Step, With};
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::plan::Terminal;
use crate::row::{Row, schema};
use crate::ship::closure::Closure;
use crate::ship::params::{ParamReader, ParamWriter, Ship};
use crate::ship::shared::{Param, Shared};
use crate::task::{Output, Place, Task};

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// Calls `f` for every row, in the process that computes it, for its effect: on executors nothing
    /// of the driver's process is reached. Nothing comes back.
    ///
    /// A task that is run again, because it failed or its executor was lost, calls `f` again for the
    /// same rows. [`for_each_partition`](Dataset::for_each_partition) can set up something once for
    /// many rows; a closure that may fail goes to [`try_for_each`](Dataset::try_for_each).
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

    /// Both of them, and `try_for_each`.
    pub(super) fn for_each_by<G, R>(&self, func: G) -> Result<()>
    where
        G: FuncInfo + for<'a> Func<'a, T::View<'a>, Out = R>,
        R: Ending,
    {
        self.origin.check()?;
        let end = ForEach { func, _types: PhantomData };
        self.origin.cx.act_with(&self.end_in(end), true).map(drop)
    }
}

/// Calls a closure for the rows of a partition.
struct ForEach<T, G, R> {
    func: G,
    _types: PhantomData<fn(T) -> R>,
}

impl<T, G: Ship, R> Ship for ForEach<T, G, R> {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        self.func.ship(params)
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        Ok(ForEach { func: G::rebuild(params)?, _types: PhantomData })
    }
}

impl<T: Row, G, R: Ending> Terminal<T> for ForEach<T, G, R>
where
    G: FuncInfo + for<'a> Func<'a, T::View<'a>, Out = R>,
{
    fn run<C: Chain<Out = T>>(&self, chain: &C, task: &Task<'_>, _: &mut dyn Output) -> Result<()> {
        let mut each = Each { func: &self.func, place: &task.place, rows: 0, error: None };
        let driven = chain.drive(task, &mut each);
        // The source ends early and well when the sink says that it is full.
        each.error.map_or(driven, |e| Err(e.at("line", self.func.site()).at("operator", R::OF_ROWS)))
    }

    fn schema(&self) -> SchemaRef {
        schema::<T>()
    }

    fn steps(&self, steps: &mut Vec<Step>) {
        steps.push(Step::new(R::OF_ROWS, self.func.site()));
    }

    fn closures(&self, closures: &mut Vec<Closure>) {
        closures.push(self.func.describe(R::OF_ROWS));
    }
}

struct Each<'a, G> {
    func: &'a G,
    place: &'a Place,
    /// Rows of the partition so far.
    rows: u64,
    error: Option<Error>,
}

impl<T: Row, G, R: Ending> RowConsumer<T> for Each<'_, G>
where
    G: for<'a> Func<'a, T::View<'a>, Out = R>,
{
    #[inline]
    fn push(&mut self, row: T::View<'_>) {
        if self.error.is_some() {
            return; // the source has not looked up yet
        }
        self.rows += 1;
        let func = self.func;
        if let Err(error) = func.call(T::narrow(row)).into_result() {
            self.error = Some(self.place.tell(error, self.rows));
        }
    }

    #[inline]
    fn is_full(&self) -> bool {
        self.error.is_some()
    }
}
