//! `min`: the smallest row. `max`, in its own file, is the same for the largest.

use std::cmp::Ordering;
use std::marker::PhantomData;

use arrow::datatypes::SchemaRef;
use kiln_planner::Site;

use crate::chain::{Chain, RowConsumer, Step};
use crate::dataset::Dataset;
use crate::error::Result;
use crate::plan::Terminal;
use crate::row::{Key, ipc, schema};
use crate::ship::params::{ParamReader, ParamWriter, Ship};
use crate::shuffle::PartitionedWriter;
use crate::task::{Output, Task};

impl<T: Key, C: Chain<Out = T>> Dataset<T, C> {
    /// The smallest row in the order of keys, or none if there are no rows; of equal rows the first.
    ///
    /// Every type that can be a key has this order: numbers, strings, tuples … NaN is larger than all
    /// other floats, so it is the smallest only among its like.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// assert_eq!(cx.parallelize([2.5, f64::NAN, -1.0]).min()?, Some(-1.0));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Whatever stops the job, with its class and place.
    #[track_caller]
    pub fn min(&self) -> Result<Option<T>> {
        self.extreme(Extreme::<T, false>::new(Site::caller()))
    }

    /// The one that is smallest or largest.
    pub(super) fn extreme<const LARGEST: bool>(&self, end: Extreme<T, LARGEST>) -> Result<Option<T>> {
        self.origin.check()?;
        let parts: Vec<T> = ipc::rows_of(&self.origin.cx.act(&self.end_in(end))?.batches)?;
        let better = |best: T, row: T| if beats::<T, LARGEST>(row.view(), best.view()) { row } else { best };
        Ok(parts.into_iter().reduce(better))
    }
}

fn beats<T: Key, const LARGEST: bool>(row: T::View<'_>, best: T::View<'_>) -> bool {
    T::compare(row, best) == if LARGEST { Ordering::Greater } else { Ordering::Less }
}

/// Finds the smallest or the largest row of a partition.
pub(super) struct Extreme<T, const LARGEST: bool> {
    site: Site,
    _row: PhantomData<fn() -> T>,
}

impl<T, const LARGEST: bool> Extreme<T, LARGEST> {
    const NAME: &'static str = if LARGEST { "max" } else { "min" };

    pub(super) fn new(site: Site) -> Self {
        Extreme { site, _row: PhantomData }
    }
}

impl<T, const LARGEST: bool> Ship for Extreme<T, LARGEST> {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        params.put(&self.site)
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        Ok(Extreme::new(params.take()?))
    }
}

impl<T: Key, const LARGEST: bool> Terminal<T> for Extreme<T, LARGEST> {
    fn run<C: Chain<Out = T>>(&self, chain: &C, task: &Task<'_>, out: &mut dyn Output) -> Result<()> {
        let mut sink = ExtremeSink::<T, LARGEST>(None);
        chain.drive(task, &mut sink)?;
        let mut writer = PartitionedWriter::<T>::new(1, out);
        sink.0.iter().for_each(|best: &T| writer.push(0, best.view()));
        writer.finish()
    }

    fn schema(&self) -> SchemaRef {
        schema::<T>()
    }

    fn steps(&self, steps: &mut Vec<Step>) {
        steps.push(Step::new(Self::NAME, &self.site));
    }
}

struct ExtremeSink<T, const LARGEST: bool>(Option<T>);

impl<T: Key, const LARGEST: bool> RowConsumer<T> for ExtremeSink<T, LARGEST> {
    #[inline]
    fn push(&mut self, row: T::View<'_>) {
        // Only a row that is better than the best is copied.
        if self.0.as_ref().is_none_or(|best| beats::<T, LARGEST>(T::narrow(row), best.view())) {
            self.0 = Some(T::own(row));
        }
    }
}
