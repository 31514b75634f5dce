//! Range partitioning by key, for sorts and for `partition_by`.
//!
//! The ranges come from a sample of the keys, which a separate job takes before the job of the action.
//! The stages below the sample run once, because their output is kept until the action ends. Sorting
//! the rows of a range is left to other operators.

use std::cmp::Ordering;
use std::marker::PhantomData;
use std::mem::needs_drop;
use std::sync::{Arc, OnceLock};

use arrow::datatypes::SchemaRef;
use datafusion_physical_plan::ExecutionPlan;

use crate::chain::{Chain, RowConsumer, Step};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::plan::{Fused, OperatorExec, Terminal};
use crate::row::{Key, Row, bytes_of_view, ipc, mix, schema};
use crate::ship::params::{ParamReader, ParamWriter, Ship};
use crate::shuffle::PartitionedWriter;
use crate::task::{Output, Task};

/// Sampled keys per partition after the exchange, from all partitions before it together.
const KEYS_PER_RANGE: usize = 256;
/// Minimum number of sampled keys from each partition before the exchange.
const KEYS_PER_PARTITION: usize = 64;
/// Approximate size of the sampled keys from each partition, which limits the number of large keys.
const SAMPLE_BYTES: usize = 4 << 20;

/// Sends each pair to the range that contains its key.
pub(super) struct ByRange<K> {
    partitions: usize,
    /// First key of every range but the first, once the sample has been taken.
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
        params.put_rows(bounds)
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        let partitions = params.take()?;
        Ok(ByRange { partitions, bounds: OnceLock::from(params.take_rows::<K>()?) })
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
        let mut keys: Vec<(K, f64)> = ipc::rows_of(&cx.run(&plan)?.batches)?;
        keys.sort_by(|a, b| K::compare(a.0.view(), b.0.view()));
        let _ = self.bounds.set(quantiles(&keys, self.partitions));
        Ok(())
    }
}

/// Keys that split the sorted `keys` into `ranges` of equal weight.
fn quantiles<K: Key>(keys: &[(K, f64)], ranges: usize) -> Vec<K> {
    let range = keys.iter().map(|(_, weight)| weight).sum::<f64>() / ranges as f64;
    let (mut bounds, mut below, mut next): (Vec<K>, f64, f64) = (Vec::new(), 0.0, range);
    for (key, weight) in keys {
        let is_new = bounds.last().is_none_or(|last| !K::same(last.view(), key.view()));
        if below >= next && is_new && bounds.len() + 1 < ranges {
            bounds.push(K::own(key.view()));
            // A key with the weight of several ranges fills only one, because equal keys stay together.
            next = range * ((below / range).floor() + 1.0);
        }
        below += weight;
    }
    bounds
}

struct RangeSink<'a, K: Key, V: Row> {
    bounds: &'a [K],
    writer: PartitionedWriter<'a, (K, V)>,
}

impl<K: Key, V: Row> RowConsumer<(K, V)> for RangeSink<'_, K, V> {
    #[inline]
    fn push(&mut self, row: (K::View<'_>, V::View<'_>)) {
        let below = |bound: &K| K::compare(bound.view(), row.0) != Ordering::Greater;
        self.writer.push(self.bounds.partition_point(below), (K::narrow(row.0), V::narrow(row.1)));
    }
    fn is_full(&self) -> bool {
        self.writer.is_closed()
    }
}

/// Samples the keys of a partition with equal probability (reservoir sampling, Vitter's algorithm R),
/// with the number of rows that each of them represents. The choice depends only on the rows'
/// positions, so all attempts agree. If the source can skip rows and the remaining ones are enough for
/// the sample, it skips them.
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
        task.skim(true);
        let mut sink = SampleSink::<K, V>::new(self.keys, task.partition);
        chain.drive(task, &mut sink)?;
        if sink.kept.len() < self.keys && task.rows_for_one() > 1.0 {
            task.skim(false);
            sink = SampleSink::new(self.keys, task.partition);
            chain.drive(task, &mut sink)?;
        }
        let weight = sink.seen as f64 / sink.kept.len() as f64 * task.rows_for_one();
        let mut writer = PartitionedWriter::<(K, f64)>::new(1, out);
        sink.kept.iter().for_each(|key| writer.push(0, (key.view(), weight)));
        writer.finish()
    }

    fn schema(&self) -> SchemaRef {
        schema::<(K, f64)>()
    }

    fn steps(&self, _: &mut Vec<Step>) {}
}

struct SampleSink<K, V> {
    kept: Vec<K>,
    /// Size of all keys that were kept since the sample was last thinned out.
    bytes: usize,
    room: usize,
    seen: u64,
    seed: u64,
    _v: PhantomData<fn(V)>,
}

impl<K, V> SampleSink<K, V> {
    fn new(room: usize, partition: usize) -> Self {
        let seed = mix(partition as u64, 0x2545_f491_4f6c_dd1d);
        SampleSink { kept: Vec::new(), bytes: 0, room, seen: 0, seed, _v: PhantomData }
    }
}

impl<K: Key, V: Row> RowConsumer<(K, V)> for SampleSink<K, V> {
    fn push(&mut self, (key, _): (K::View<'_>, V::View<'_>)) {
        self.seen += 1;
        if self.kept.len() < self.room {
            self.kept.push(K::own(key));
        } else {
            let at = mix(self.seed, self.seen) % self.seen;
            let Some(kept) = self.kept.get_mut(at as usize) else { return };
            *kept = K::own(key);
        }
        if needs_drop::<K>() {
            self.bytes += bytes_of_view::<K>(key);
            if self.bytes > SAMPLE_BYTES && self.kept.len() > 1 {
                self.thin_out();
            }
        }
    }
}

impl<K: Key, V> SampleSink<K, V> {
    /// Drops every second key until the rest takes half of the space. All keys are equally likely to
    /// stay.
    #[cold]
    fn thin_out(&mut self) {
        let bytes = |kept: &[K]| kept.iter().map(|key| bytes_of_view::<K>(key.view())).sum();
        self.bytes = bytes(&self.kept);
        while self.bytes > SAMPLE_BYTES / 2 && self.kept.len() > 1 {
            let mut at = 0;
            self.kept.retain(|_| {
                at += 1;
                at % 2 == 1
            });
            (self.room, self.bytes) = (self.kept.len(), bytes(&self.kept));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_of_large_keys_is_small_and_even() {
        let mut sink = SampleSink::<String, u64>::new(1000, 3);
        for row in 0..400 {
            let key = format!("{}{row:03}", "0".repeat(300_000));
            sink.push((&key, row));
            let kept: usize = sink.kept.iter().map(String::len).sum();
            assert!(kept <= SAMPLE_BYTES + key.len() && !sink.kept.is_empty());
        }
        let rows: Vec<u64> = sink.kept.iter().map(|key| key.parse().unwrap()).collect();
        let early = rows.iter().filter(|row| **row < 200).count();
        assert!((1..rows.len()).contains(&early) && rows.len() > 2, "{rows:?}");
    }

    #[test]
    fn ranges_have_equal_weight_and_a_heavy_key_has_one_of_its_own() {
        let even: Vec<(u64, f64)> = (0..100).map(|key| (key, 2.0)).collect();
        assert_eq!(quantiles(&even, 4), [25, 50, 75]);
        let light_and_heavy: Vec<(u64, f64)> =
            (0..100).map(|key| (key, if key < 50 { 1.0 } else { 9.0 })).collect();
        assert_eq!(quantiles(&light_and_heavy, 5), [56, 67, 78, 89]);
        let crowded: Vec<(u64, f64)> = (0..100).map(|at| (if at < 70 { 7 } else { at }, 1.0)).collect();
        assert_eq!(quantiles(&crowded, 10), [7, 70, 80, 90]);
        assert!(quantiles::<u64>(&[], 4).is_empty());
    }
}
