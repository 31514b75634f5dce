//! `coalesce`: reduces the number of partitions without an exchange.

use std::marker::PhantomData;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use kiln_planner::Site;

use super::partition_by::at_least_one;
use crate::chain::{Chain, Step};
use crate::dataset::Dataset;
use crate::error::Result;
use crate::plan::{Operator, OperatorExec};
use crate::row::{Row, schema};
use crate::ship::closure::Closure;
use crate::ship::params::{ParamReader, ParamWriter};
use crate::ship::table;
use crate::task::{Output, Task};

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// The same rows in the same order, in `partitions` partitions. Each of them is made of several
    /// adjacent partitions. A dataset that has no more partitions than that stays unchanged.
    ///
    /// There is no exchange, so the operators before it in the same stage run in that many tasks, too.
    /// If that is too few, call [`cache`](Dataset::cache) first. Later exchanges keep the number.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let rows = cx.parallelize_in(7, 0..7u64).coalesce(2).zip_with_unique_id();
    /// assert_eq!(rows.values().collect()?, [0, 2, 4, 1, 3, 5, 7]); // three rows, then four
    /// # Ok(()) }
    /// ```
    ///
    /// An action fails with a config error when `partitions` is 0.
    #[track_caller]
    pub fn coalesce(self, partitions: usize) -> Dataset<T> {
        let before = self.origin.partitions;
        let (partitions, error) = at_least_one(partitions, "coalesce");
        if partitions >= before {
            let same = self.erase();
            return Dataset::over(same.chain, same.origin.failing(error));
        }
        let site = Site::caller();
        table::anchor::<Coalesce<T>>();
        let operator = Coalesce::<T> { before, partitions, site, _row: PhantomData };
        let plan = OperatorExec::new(Arc::new(operator), vec![self.to_plan()], partitions);
        Dataset::from_plan(Arc::new(plan), self.origin.keeping(partitions).failing(error))
    }
}

/// Reads adjacent partitions one after another.
struct Coalesce<T> {
    before: usize,
    partitions: usize,
    site: Site,
    _row: PhantomData<fn() -> T>,
}

impl<T> Coalesce<T> {
    /// The input partitions of an output partition.
    fn inputs(&self, partition: usize) -> Range<usize> {
        let cut = |at: usize| self.before * at / self.partitions;
        cut(partition)..cut(partition + 1)
    }
}

impl<T: Row> Operator for Coalesce<T> {
    fn run(&self, task: &Task<'_>, out: &mut dyn Output) -> Result<()> {
        let mut flow = ControlFlow::Continue(());
        for partition in self.inputs(task.partition) {
            task.read_partition(0, partition, &mut |batch| {
                task.check()?;
                flow = out.push(0, batch)?;
                Ok(flow)
            })?;
            if flow.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn schema(&self) -> SchemaRef {
        schema::<T>()
    }

    fn steps(&self) -> Vec<Step> {
        vec![Step::new("coalesce", &self.site)]
    }

    fn closures(&self) -> Vec<Closure> {
        Vec::new()
    }

    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        params.put(&(self.before, self.partitions, &self.site))
    }

    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        let (before, partitions, site) = params.take()?;
        Ok(Coalesce { before, partitions, site, _row: PhantomData })
    }
}
