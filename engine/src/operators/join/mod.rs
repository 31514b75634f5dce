//! Joins: one file for each kind, all with the same build and probe.
//!
//! Both sides are hash-partitioned by key. The right side is the build side: a task builds a hash table
//! of it and streams the left side past it (`probe`). A [`Kind`] determines the output: matches, and
//! the unmatched rows of the left or the right side. If the right side does not fit in the task's share
//! of memory, the join runs in passes. The order of rows within a partition then depends on that share,
//! but on nothing else.

mod bits;
mod full_outer;
mod inner;
mod left_anti;
mod left_outer;
mod left_semi;
mod probe;
mod right_outer;

use std::marker::PhantomData;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion_physical_plan::ExecutionPlan;
use kiln_planner::Site;

use super::place_by_key::{PlaceByKey, by_hash};
use crate::aggregate::Slices;
use crate::chain::{Chain, Step};
use crate::dataset::Dataset;
use crate::error::Result;
use crate::plan::{Operator, OperatorExec};
use crate::row::{Key, Row, schema};
use crate::ship::closure::Closure;
use crate::ship::params::{ParamReader, ParamWriter};
use crate::ship::table;
use crate::shuffle::PartitionedWriter;
use crate::task::{Output, Task};

/// The kind of a join: which rows it outputs.
trait Kind<K: Row, V: Row, W: Row>: Send + Sync + 'static {
    /// The row type of the output.
    type Out: Row;
    /// Name of the operator's method.
    const NAME: &'static str;
    /// Whether a left row is output once, however many matches it has.
    const ONCE: bool = false;
    /// Whether unmatched left rows are output.
    const LEFT_ALONE: bool = false;
    /// Whether unmatched right rows are output.
    const RIGHT_ALONE: bool = false;

    /// The output for a match.
    fn pair<'a>(
        key: K::View<'a>,
        left: V::View<'a>,
        right: W::View<'a>,
    ) -> Option<<Self::Out as Row>::View<'a>>;

    /// The output for an unmatched left row.
    fn left<'a>(_: K::View<'a>, _: V::View<'a>) -> Option<<Self::Out as Row>::View<'a>> {
        None
    }

    /// The output for an unmatched right row.
    fn right<'a>(_: K::View<'a>, _: W::View<'a>) -> Option<<Self::Out as Row>::View<'a>> {
        None
    }
}

impl<K: Row, V: Row, C: Chain<Out = (K, V)>> Dataset<(K, V), C> {
    /// Joins both sides as `J`. A side that is already hash-partitioned by key is not shuffled again.
    fn join_as<J, W, D>(self, right: Dataset<(K, W), D>, site: Site) -> Dataset<J::Out>
    where
        K: Key,
        W: Row,
        D: Chain<Out = (K, W)>,
        J: Kind<K, V, W>,
    {
        let (inputs, slices) = self.placed_with(&right, J::NAME, &site);
        let origin = self.origin.with(&right.origin);
        let join = HashJoin::<J, K, V, W>::operator(slices, site);
        let plan = Arc::new(OperatorExec::new(join, inputs, slices.partitions()));
        Dataset::from_plan(plan, origin.placed_by_key(slices.partitions()))
    }

    /// Both sides, hash-partitioned by key, and their common sub-partitions. A side that is already
    /// partitioned has no sub-partitions, and then the other side gets none either.
    pub(super) fn placed_with<W: Row, D: Chain<Out = (K, W)>>(
        &self,
        right: &Dataset<(K, W), D>,
        name: &str,
        site: &Site,
    ) -> (Vec<Arc<dyn ExecutionPlan>>, Slices)
    where
        K: Key,
    {
        let both = self.origin.clone().with(&right.origin).moved();
        let slices = both.common_slices([self.origin.placed, right.origin.placed]);
        (vec![self.placed(slices, name, site), right.placed(slices, name, site)], slices)
    }

    /// The pairs, hash-partitioned by key into `slices`.
    pub(super) fn placed(&self, slices: Slices, name: &str, site: &Site) -> Arc<dyn ExecutionPlan>
    where
        K: Key,
    {
        if self.origin.placed.map(Slices::whole) == Some(slices) {
            return self.to_plan();
        }
        let reason = format!("{name} brings equal keys together");
        self.exchange(PlaceByKey::new(slices.count()), by_hash(slices), &reason, site.clone())
    }
}

/// Joins one partition of the left side with the same partition of the right.
struct HashJoin<J, K, V, W> {
    slices: Slices,
    site: Site,
    _kind: PhantomData<fn() -> (J, K, V, W)>,
}

impl<K: Key, V: Row, W: Row, J: Kind<K, V, W>> HashJoin<J, K, V, W> {
    fn operator(slices: Slices, site: Site) -> Arc<dyn Operator> {
        table::anchor::<Self>();
        Arc::new(HashJoin::<J, K, V, W> { slices, site, _kind: PhantomData })
    }
}

impl<K: Key, V: Row, W: Row, J: Kind<K, V, W>> Operator for HashJoin<J, K, V, W> {
    fn run(&self, task: &Task<'_>, out: &mut dyn Output) -> Result<()> {
        let mut writer = PartitionedWriter::new(1, out);
        for slice in self.slices.of(task.partition) {
            probe::join::<J, K, V, W>(slice, self.slices.part(), task, &mut writer)?;
        }
        writer.finish()
    }

    fn schema(&self) -> SchemaRef {
        schema::<J::Out>()
    }

    fn steps(&self) -> Vec<Step> {
        vec![Step::new(J::NAME, &self.site)]
    }

    fn closures(&self) -> Vec<Closure> {
        Vec::new()
    }

    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        params.put(&(self.slices, &self.site))
    }

    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        let (slices, site) = params.take()?;
        Ok(HashJoin { slices, site, _kind: PhantomData })
    }
}
