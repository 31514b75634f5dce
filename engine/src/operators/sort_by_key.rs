//! `sort_by_key`: pairs in the order of their keys, over all partitions.
//!
//! Rows move by ranges of the key, so that partition 0 holds the smallest; each partition then
//! sorts what it got. The ranges come from a sample, which is taken when an action runs, before
//! the job itself: the stages below it run once, as their output is kept until the action ends.

use std::cmp::Ordering;
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::sync::{Arc, OnceLock};

use arrow::datatypes::SchemaRef;
use datafusion_physical_plan::ExecutionPlan;
use kiln_planner::{Movement, Site};

use crate::chain::{Chain, Sink, Step};
use crate::context::Context;
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::plan::{Fused, Operator, OperatorExec, Terminal};
use crate::row::{Key, Row, ipc, mix, schema};
use crate::ship::closure::Closure;
use crate::ship::params::{ParamReader, ParamWriter, Ship};
use crate::ship::table;
use crate::shuffle::PartitionedWriter;
use crate::sort::Sorter;
use crate::task::{Output, Task};

/// Sampled keys for each partition after the exchange, from all partitions before it together.
const KEYS_PER_RANGE: usize = 256;
/// Sampled keys from each partition before the exchange at least.
const KEYS_PER_PARTITION: usize = 64;

impl<K: Row, V: Row, C: Chain<Out = (K, V)>> Dataset<(K, V), C> {
    /// Sorts by key, ascending. Pairs with equal keys stay in the order in which they were. For another
    /// direction the key is a [`Reverse`](std::cmp::Reverse), as in [`sort_by`](Dataset::sort_by).
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
        let plan = Arc::new(OperatorExec::new(SortRows::<K, V>::operator(site), vec![moved], partitions));
        Dataset::from_plan(plan, self.origin.moved())
    }
}

/// Sends each pair to the range of its key.
pub(super) struct ByRange<K> {
    partitions: usize,
    /// The first key of every range but the first: known once the sample is taken.
    bounds: OnceLock<Vec<K>>,
}

impl<K> ByRange<K> {
    pub(super) fn new(partitions: usize) -> Self {
        ByRange { partitions, bounds: OnceLock::new() }
    }
}

impl<K: Key> Ship for ByRange<K> {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        params.put(&self.partitions)?;
        let bounds = self.bounds.get().map_or(&[][..], Vec::as_slice);
        params.put_bytes(&ipc::to_bytes(&ipc::batch_of(bounds.iter())?)?)
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        let partitions = params.take()?;
        let bounds = ipc::rows_of(&ipc::from_bytes(params.take_bytes()?)?)?;
        Ok(ByRange { partitions, bounds: OnceLock::from(bounds) })
    }
}

impl<K: Key, V: Row> Terminal<(K, V)> for ByRange<K> {
    fn run<C: Chain<Out = (K, V)>>(&self, chain: &C, task: &Task<'_>, out: &mut dyn Output) -> Result<()> {
        let bounds = self.bounds.get().ok_or_else(|| Error::bug("a sort runs before its sample"))?;
        let mut sink = RangeSink { bounds, writer: PartitionedWriter::<(K, V)>::new(self.partitions, out) };
        chain.drive(task, &mut sink)?;
        sink.writer.finish()
    }

    fn schema(&self) -> SchemaRef {
        schema::<(K, V)>()
    }

    fn steps(&self, _: &mut Vec<Step>) {}

    fn prepare<C: Chain<Out = (K, V)>>(
        &self,
        chain: &C,
        inputs: &[Arc<dyn ExecutionPlan>],
        partitions: usize,
        cx: &Context,
    ) -> Result<()> {
        if self.partitions == 1 || self.bounds.get().is_some() {
            let _ = self.bounds.set(Vec::new());
            return Ok(());
        }
        let keys = (KEYS_PER_RANGE * self.partitions).div_ceil(partitions).max(KEYS_PER_PARTITION);
        let sample = Fused::operator(chain.clone(), Sample { keys });
        let plan: Arc<dyn ExecutionPlan> = Arc::new(OperatorExec::new(sample, inputs.to_vec(), partitions));
        let mut keys: Vec<K> = ipc::rows_of(&cx.run(&plan)?.batches)?;
        keys.sort_by(|a, b| K::compare(a.view(), b.view()));
        let _ = self.bounds.set(quantiles(&keys, self.partitions));
        Ok(())
    }
}

/// Keys that cut the sorted `keys` into `ranges` of equal size.
fn quantiles<K: Key>(keys: &[K], ranges: usize) -> Vec<K> {
    if keys.is_empty() {
        return Vec::new();
    }
    let mut bounds: Vec<K> = (1..ranges).map(|i| K::own(keys[i * keys.len() / ranges].view())).collect();
    bounds.dedup_by(|a, b| K::same(a.view(), b.view()));
    bounds
}

struct RangeSink<'a, K: Key, V: Row> {
    bounds: &'a [K],
    writer: PartitionedWriter<'a, (K, V)>,
}

impl<K: Key, V: Row> Sink<(K, V)> for RangeSink<'_, K, V> {
    #[inline]
    fn push(&mut self, row: (K::View<'_>, V::View<'_>)) {
        let below = |bound: &K| K::compare(bound.view(), row.0) != Ordering::Greater;
        self.writer.push(self.bounds.partition_point(below), (K::narrow(row.0), V::narrow(row.1)));
    }
    fn is_full(&self) -> bool {
        self.writer.is_closed()
    }
}

/// Keeps some keys of a partition, each with the same chance (reservoir sampling, Vitter's
/// algorithm R). The choice depends on the rows' positions alone, so attempts agree.
struct Sample {
    keys: usize,
}

impl Ship for Sample {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        params.put(&self.keys)
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        Ok(Sample { keys: params.take()? })
    }
}

impl<K: Key, V: Row> Terminal<(K, V)> for Sample {
    fn run<C: Chain<Out = (K, V)>>(&self, chain: &C, task: &Task<'_>, out: &mut dyn Output) -> Result<()> {
        let seed = mix(task.partition as u64, 0x2545_f491_4f6c_dd1d);
        let mut sink =
            SampleSink::<K, V> { kept: Vec::new(), room: self.keys, seen: 0, seed, _v: PhantomData };
        chain.drive(task, &mut sink)?;
        let mut writer = PartitionedWriter::<K>::new(1, out);
        sink.kept.iter().for_each(|key| writer.push(0, key.view()));
        writer.finish()
    }

    fn schema(&self) -> SchemaRef {
        schema::<K>()
    }

    fn steps(&self, _: &mut Vec<Step>) {}
}

struct SampleSink<K, V> {
    kept: Vec<K>,
    room: usize,
    seen: u64,
    seed: u64,
    _v: PhantomData<fn(V)>,
}

impl<K: Key, V: Row> Sink<(K, V)> for SampleSink<K, V> {
    fn push(&mut self, (key, _): (K::View<'_>, V::View<'_>)) {
        self.seen += 1;
        if self.kept.len() < self.room {
            return self.kept.push(K::own(key));
        }
        let at = mix(self.seed, self.seen) % self.seen;
        if let Some(kept) = self.kept.get_mut(at as usize) {
            *kept = K::own(key);
        }
    }
}

/// Sorts one range.
pub(super) struct SortRows<K, V> {
    site: Site,
    _row: PhantomData<fn() -> (K, V)>,
}

impl<K: Key, V: Row> SortRows<K, V> {
    pub(super) fn operator(site: Site) -> Arc<dyn Operator> {
        table::anchor::<Self>();
        Arc::new(SortRows::<K, V> { site, _row: PhantomData })
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
        vec![Step::new("sort_by_key", &self.site)]
    }

    fn closures(&self) -> Vec<Closure> {
        Vec::new()
    }

    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        params.put(&self.site)
    }

    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        Ok(SortRows { site: params.take()?, _row: PhantomData })
    }
}
