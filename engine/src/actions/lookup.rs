//! `lookup`: the values of one key.

use std::marker::PhantomData;

use arrow::datatypes::SchemaRef;
use kiln_planner::Site;

use crate::aggregate::partition_of;
use crate::chain::{Chain, RowConsumer, Step};
use crate::dataset::Dataset;
use crate::error::Result;
use crate::plan::Terminal;
use crate::row::{Key, Row, ipc, schema};
use crate::ship::params::{ParamReader, ParamWriter, Ship};
use crate::shuffle::PartitionedWriter;
use crate::task::{Output, Task};

impl<K: Row, V: Row, C: Chain<Out = (K, V)>> Dataset<(K, V), C> {
    /// All values of `key`, in the order of the partitions; an empty list when no pair has it. They must fit
    /// the driver's memory.
    ///
    /// Every partition is searched; of pairs that are hash-partitioned, as after `partition_by`,
    /// `reduce_by_key` or a join, the one that the key belongs to. To look up many keys, join.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let ages = cx.parallelize([("Ada", 36u64), ("Max", 9), ("Ada", 7)].map(|(name, age)| (name.to_owned(), age)));
    /// assert_eq!(ages.lookup("Ada")?, [36, 7]);
    /// assert!(ages.lookup("Eve")?.is_empty());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Whatever stops the job, with its class and place.
    #[track_caller]
    pub fn lookup(&self, key: K::View<'_>) -> Result<Vec<V>>
    where
        K: Key,
    {
        self.origin.check()?;
        let end = Lookup { key: K::own(key), site: Site::caller(), _row: PhantomData::<fn() -> V> };
        let mut action = self.origin.cx.begin(&self.end_in(end))?;
        let partitions = match self.origin.placed {
            Some(partitions) => {
                let home = partition_of(K::hash(key), partitions);
                home..home + 1
            }
            None => 0..action.partitions(),
        };
        ipc::rows_of(&action.run(partitions)?.batches)
    }
}

/// The values of one key in a partition.
struct Lookup<K, V> {
    key: K,
    site: Site,
    _row: PhantomData<fn() -> V>,
}

impl<K: Row, V> Ship for Lookup<K, V> {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        params.put_rows([&self.key])?;
        params.put(&self.site)
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        Ok(Lookup { key: params.take_row()?, site: params.take()?, _row: PhantomData })
    }
}

impl<K: Key, V: Row> Terminal<(K, V)> for Lookup<K, V> {
    fn run<C: Chain<Out = (K, V)>>(&self, chain: &C, task: &Task<'_>, out: &mut dyn Output) -> Result<()> {
        let mut sink = LookupSink { key: &self.key, writer: PartitionedWriter::<V>::new(1, out) };
        chain.drive(task, &mut sink)?;
        sink.writer.finish()
    }

    fn schema(&self) -> SchemaRef {
        schema::<V>()
    }

    fn steps(&self, steps: &mut Vec<Step>) {
        steps.push(Step::new("lookup", &self.site));
    }
}

struct LookupSink<'a, K, V: Row> {
    key: &'a K,
    writer: PartitionedWriter<'a, V>,
}

impl<K: Key, V: Row> RowConsumer<(K, V)> for LookupSink<'_, K, V> {
    #[inline]
    fn push(&mut self, (key, value): (K::View<'_>, V::View<'_>)) {
        if K::same(K::narrow(key), self.key.view()) {
            self.writer.push(0, value);
        }
    }
    fn is_full(&self) -> bool {
        self.writer.is_closed()
    }
}
