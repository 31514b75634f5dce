//! `sort_by_key`: sorts pairs by key, across all partitions.
//!
//! Rows are range-partitioned by key (`by_range`), so that partition 0 has the smallest keys, and then
//! each partition is sorted.

use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use kiln_planner::{Movement, Site};

use super::by_range::ByRange;
use crate::chain::{Chain, Step};
use crate::dataset::Dataset;
use crate::error::Result;
use crate::plan::{Operator, OperatorExec};
use crate::row::{Key, Row, schema};
use crate::ship::closure::Closure;
use crate::ship::params::{ParamReader, ParamWriter};
use crate::ship::table;
use crate::shuffle::PartitionedWriter;
use crate::sort::Sorter;
use crate::task::{Output, Task};

impl<K: Row, V: Row, C: Chain<Out = (K, V)>> Dataset<(K, V), C> {
    /// Sorts by key, ascending. The sort is stable: pairs with equal keys stay in their original order.
    /// For descending order use a key of [`Reverse`](std::cmp::Reverse), as in
    /// [`sort_by`](Dataset::sort_by).
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let pairs = cx.parallelize([(3u64, 'c' as u32), (1, 'a' as u32), (2, 'b' as u32)]);
    /// assert_eq!(pairs.sort_by_key().map(|(k, _)| k).collect()?, [1, 2, 3]);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn sort_by_key(self) -> Dataset<(K, V)>
    where
        K: Key,
    {
        let site = Site::caller();
        let partitions = self.origin.exchange_partitions();
        let (how, reason) = (Movement::Range { partitions }, "sort_by_key puts ranges of keys in order");
        let moved = self.exchange(ByRange::<K>::new(partitions), how, reason, site.clone());
        let plan = Arc::new(OperatorExec::new(
            SortRows::<K, V>::operator("sort_by_key", site),
            vec![moved],
            partitions,
        ));
        Dataset::from_plan(plan, self.origin.exchanged(partitions))
    }
}

/// Sorts one partition.
pub(super) struct SortRows<K, V> {
    name: String,
    site: Site,
    _row: PhantomData<fn() -> (K, V)>,
}

impl<K: Key, V: Row> SortRows<K, V> {
    /// Creates the operator under the name `name`.
    pub(super) fn operator(name: &str, site: Site) -> Arc<dyn Operator> {
        table::anchor::<Self>();
        Arc::new(SortRows::<K, V> { name: name.to_owned(), site, _row: PhantomData })
    }
}

impl<K: Key, V: Row> Operator for SortRows<K, V> {
    fn run(&self, task: &Task<'_>, out: &mut dyn Output) -> Result<()> {
        let mut sorter = Sorter::<K, V>::new(task);
        task.read_input(0, &mut |batch| {
            task.check()?;
            sorter.push(&batch)?;
            Ok(ControlFlow::Continue(()))
        })?;
        let mut writer = PartitionedWriter::<(K, V)>::new(1, out);
        sorter.finish(&mut writer)?;
        writer.finish()
    }

    fn schema(&self) -> SchemaRef {
        schema::<(K, V)>()
    }

    fn steps(&self) -> Vec<Step> {
        vec![Step::new(&*self.name, &self.site)]
    }

    fn closures(&self) -> Vec<Closure> {
        Vec::new()
    }

    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        params.put(&(&self.name, &self.site))
    }

    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        let (name, site) = params.take()?;
        Ok(SortRows { name, site, _row: PhantomData })
    }
}
