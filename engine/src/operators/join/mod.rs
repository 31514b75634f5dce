//! Joins: each kind is one file, all of them run on one build and probe.
//!
//! Both sides come in lying by the hash of their key, partition by partition. The right one is held
//! and found by its key, the left one streams past it (`probe`). A [`Kind`] says which rows come out:
//! pairs, left rows or right rows that found no partner. Where the right side does not fit the
//! task's share of the memory, the join is done in passes; the order of rows within a partition is
//! then that of the passes, so it may depend on that share, but on nothing else.

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

/// What comes out of a join.
trait Kind<K: Row, V: Row, W: Row>: Send + Sync + 'static {
    /// The rows.
    type Out: Row;
    /// The operator, as users call it.
    const NAME: &'static str;
    /// Whether a left row counts once, however many partners it has.
    const ONCE: bool = false;
    /// Whether left rows without a partner come out.
    const LEFT_ALONE: bool = false;
    /// Whether right rows without a partner come out.
    const RIGHT_ALONE: bool = false;

    /// A left row with a partner.
    fn pair<'a>(
        key: K::View<'a>,
        left: V::View<'a>,
        right: W::View<'a>,
    ) -> Option<<Self::Out as Row>::View<'a>>;

    /// A left row without a partner.
    fn left<'a>(_: K::View<'a>, _: V::View<'a>) -> Option<<Self::Out as Row>::View<'a>> {
        None
    }

    /// A right row without a partner.
    fn right<'a>(_: K::View<'a>, _: W::View<'a>) -> Option<<Self::Out as Row>::View<'a>> {
        None
    }
}

impl<K: Row, V: Row, C: Chain<Out = (K, V)>> Dataset<(K, V), C> {
    /// Brings equal keys of both sides together and joins them as `J` says. A side whose keys
    /// already lie by their hash is not moved again.
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

    /// Both sides, each pair in the slice of its key's hash, and how many slices there are: what lies
    /// where it must already is not sliced, so the other side is not either.
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
        let mut placed = [self.origin.placed, right.origin.placed].into_iter().flatten();
        let slices = placed.find(|n| both.allows(*n)).map_or_else(|| both.slices(), Slices::whole);
        (vec![self.placed(slices, name, site), right.placed(slices, name, site)], slices)
    }

    /// The pairs, each in the slice of its key's hash.
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
