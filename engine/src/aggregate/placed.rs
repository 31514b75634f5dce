//! Aggregation of pairs that are already hash-partitioned by key: combine and merge in one task.
//!
//! A chain of pairs enters, one row per key leaves. The combined rows are stored like the output of a
//! task, in memory or on disk, but only this task reads them. Rows that do not fit in memory are
//! therefore handled as after an exchange, and nothing crosses the network.

use std::marker::PhantomData;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion_physical_plan::ExecutionPlan;
use kiln_planner::{ExchangeId, ExchangeReadExec};

use super::combine::{Combine, Combined};
use super::kinds::Aggregate;
use super::merge::Merge;
use super::slices::Slices;
use crate::chain::{Chain, Step};
use crate::error::Result;
use crate::plan::{Operator, Terminal};
use crate::row::{Key, schema};
use crate::ship::closure::Closure;
use crate::ship::params::{ParamReader, ParamWriter, Ship};
use crate::shuffle::TaskOutput;
use crate::task::{BatchSink, ExchangeReader, Output, Task, TaskEnv};

/// Ends a chain of hash-partitioned pairs with their aggregate.
pub struct Placed<K, G> {
    aggregate: G,
    slices: Slices,
    _key: PhantomData<fn() -> K>,
}

impl<K, G> Placed<K, G> {
    /// The aggregate of pairs that are hash-partitioned into the partitions of `slices`.
    pub fn new(aggregate: G, slices: Slices) -> Self {
        Placed { aggregate, slices, _key: PhantomData }
    }
}

impl<K, G: Ship> Ship for Placed<K, G> {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        params.put(&self.slices)?;
        self.aggregate.ship(params)
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        let slices = params.take()?;
        Ok(Placed::new(G::rebuild(params)?, slices))
    }
}

impl<K: Key, G: Aggregate> Terminal<(K, G::Value)> for Placed<K, G> {
    fn run<C: Chain<Out = (K, G::Value)>>(
        &self,
        chain: &C,
        task: &Task<'_>,
        out: &mut dyn Output,
    ) -> Result<()> {
        let mut combined = TaskOutput::of(task.env);
        Combine::<K, G>::new(self.aggregate.clone(), self.slices.count()).run(chain, task, &mut combined)?;
        combined.close();
        let env = TaskEnv { exchanges: Arc::new(Within(combined)), ..task.env.clone() };
        let read = ExchangeReadExec::new(ExchangeId(0), schema::<Combined<K, G::Acc>>(), self.slices.count());
        let inputs: [Arc<dyn ExecutionPlan>; 1] = [Arc::new(read)];
        let merge = Merge::<K, G>::new(self.aggregate.clone(), self.slices);
        task.place.left(|| merge.run(&Task::new(&env, task.partition, &inputs), out))
    }

    fn schema(&self) -> SchemaRef {
        schema::<(K, G::Acc)>()
    }

    fn steps(&self, steps: &mut Vec<Step>) {
        let (name, site) = self.aggregate.name();
        steps.push(Step::new(format!("{name} where keys lie"), site));
    }

    fn closures(&self, closures: &mut Vec<Closure>) {
        self.aggregate.closures(closures);
    }
}

/// An exchange of a task with itself.
struct Within(TaskOutput);

impl ExchangeReader for Within {
    fn read(&self, _: ExchangeId, slice: usize, take: &mut BatchSink<'_>) -> Result<()> {
        self.0.read(slice, take).map(drop)
    }
}
