//! Ends a chain by hash-partitioning its pairs by key.

use std::marker::PhantomData;

use arrow::datatypes::SchemaRef;
use kiln_planner::Movement;

use crate::aggregate::{Slices, partition_of};
use crate::chain::{Chain, RowConsumer, Step};
use crate::error::Result;
use crate::plan::Terminal;
use crate::row::{Key, Row, schema};
use crate::ship::params::{ParamReader, ParamWriter, Ship};
use crate::shuffle::PartitionedWriter;
use crate::task::{Output, Task};

/// Hash partitioning into `slices`.
pub(super) fn by_hash(slices: Slices) -> Movement {
    Movement::Hash { partitions: slices.partitions(), slices: slices.of_each() }
}

/// Partitions pairs by the hash of their key.
pub(super) struct PlaceByKey<K, V> {
    partitions: usize,
    _row: PhantomData<fn() -> (K, V)>,
}

impl<K, V> PlaceByKey<K, V> {
    pub(super) fn new(partitions: usize) -> Self {
        PlaceByKey { partitions, _row: PhantomData }
    }
}

impl<K, V> Ship for PlaceByKey<K, V> {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        params.put(&self.partitions)
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        Ok(PlaceByKey::new(params.take()?))
    }
}

impl<K: Key, V: Row> Terminal<(K, V)> for PlaceByKey<K, V> {
    fn run<C: Chain<Out = (K, V)>>(&self, chain: &C, task: &Task<'_>, out: &mut dyn Output) -> Result<()> {
        let mut sink = PlaceSink(PartitionedWriter::<(K, V)>::new(self.partitions, out));
        chain.drive(task, &mut sink)?;
        sink.0.finish()
    }

    fn schema(&self) -> SchemaRef {
        schema::<(K, V)>()
    }

    fn steps(&self, _: &mut Vec<Step>) {}
}

struct PlaceSink<'a, K: Key, V: Row>(PartitionedWriter<'a, (K, V)>);

impl<K: Key, V: Row> RowConsumer<(K, V)> for PlaceSink<'_, K, V> {
    #[inline]
    fn push(&mut self, row: (K::View<'_>, V::View<'_>)) {
        let (key, value) = row;
        let partition = partition_of(K::hash(key), self.0.partitions());
        self.0.push(partition, (K::narrow(key), V::narrow(value)));
    }
    fn is_full(&self) -> bool {
        self.0.is_closed()
    }
}
