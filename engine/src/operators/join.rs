//! `join`: pairs of two datasets with equal keys.

use std::any::Any;
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion_physical_plan::ExecutionPlan;
use kiln_planner::{Movement, Site};

use super::place_by_key::PlaceByKey;
use crate::aggregate::Table;
use crate::chain::{Chain, Step};
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::plan::{Operator, OperatorExec};
use crate::row::{Key, Row, RowReader, schema};
use crate::ship::closure::Closure;
use crate::ship::params::{ParamReader, ParamWriter};
use crate::ship::table::{self, Shipped};
use crate::shuffle::PartitionedWriter;
use crate::task::{Output, Task};

/// Pairs of one key between two looks at whether to stop.
const LOOK_ROWS: usize = 1 << 16;

impl<K: Row, V: Row, C: Chain<Out = (K, V)>> Dataset<(K, V), C> {
    /// Inner join: a row for every two pairs with equal keys. A side whose keys already lie by
    /// their hash, after `reduce_by_key` or another join, is not moved again.
    ///
    /// The right side is held in memory, one partition per task: put the smaller one there.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let (ages, cities) = (cx.parallelize([(1u64, 30u64), (2, 40)]), cx.parallelize([(2u64, "Seoul".to_owned())]));
    /// assert_eq!(ages.join(cities).collect()?, [(2, (40, "Seoul".to_owned()))]);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn join<W: Row, D: Chain<Out = (K, W)>>(self, right: Dataset<(K, W), D>) -> Dataset<(K, (V, W))>
    where
        K: Key,
    {
        let site = Site::caller();
        let origin = self.origin.clone().with(&right.origin);
        let placed = self.origin.placed.or(right.origin.placed);
        let partitions = placed.unwrap_or_else(|| origin.exchange_partitions());
        let inputs = vec![self.placed(partitions, &site), right.placed(partitions, &site)];
        let join = HashJoin::<K, V, W>::operator(partitions, site);
        let plan = Arc::new(OperatorExec::new(join, inputs, partitions));
        Dataset::from_plan(plan, origin.placed_by_key(partitions))
    }

    /// The pairs, each in the partition of its key's hash.
    fn placed(&self, partitions: usize, site: &Site) -> Arc<dyn ExecutionPlan>
    where
        K: Key,
    {
        if self.origin.placed == Some(partitions) {
            return self.to_plan();
        }
        let (how, reason) = (Movement::Hash { partitions }, "join brings equal keys together");
        self.exchange(PlaceByKey::new(partitions), how, reason, site.clone())
    }
}

/// Joins one partition of the left side with the same partition of the right.
struct HashJoin<K, V, W> {
    partitions: usize,
    site: Site,
    _rows: PhantomData<fn() -> (K, V, W)>,
}

impl<K: Key, V: Row, W: Row> HashJoin<K, V, W> {
    fn operator(partitions: usize, site: Site) -> Arc<dyn Operator> {
        table::anchor::<Self>();
        Arc::new(HashJoin::<K, V, W> { partitions, site, _rows: PhantomData })
    }
}

/// The right side of a join in memory.
struct Right<K: Key, W: Row> {
    batches: Vec<RowReader<(K, W)>>,
    /// The last pair of each key.
    last: Table<K, u32>,
    /// Every pair: where it is, and the pair of the same key before it.
    pairs: Vec<Pair>,
}

struct Pair {
    batch: u32,
    row: u32,
    before: Option<u32>,
}

impl<K: Key, W: Row> Right<K, W> {
    fn read(task: &Task<'_>, partitions: usize) -> Result<Self> {
        let mut batches = Vec::new();
        task.read_input(1, &mut |batch| {
            task.check()?;
            batches.push(RowReader::<(K, W)>::open(&batch)?);
            Ok(ControlFlow::Continue(()))
        })?;
        let rows = batches.iter().map(RowReader::len).sum();
        let (mut last, mut pairs) = (Table::new(rows, partitions), Vec::with_capacity(rows));
        u32::try_from(rows)
            .map_err(|_| Error::resource("a partition of a join's right side has 2^32 rows"))?;
        for (batch, reader) in batches.iter().enumerate() {
            for (row, (key, _)) in reader.iter().enumerate() {
                let (at, mut before) = (pairs.len() as u32, None);
                last.upsert(K::hash(key), key, || at, |known| before = Some(std::mem::replace(known, at)));
                pairs.push(Pair { batch: batch as u32, row: row as u32, before });
            }
        }
        Ok(Right { batches, last, pairs })
    }

    /// The values of `key` in the order in which they came.
    fn values<'a>(&'a self, key: K::View<'_>, found: &mut Vec<u32>) -> impl Iterator<Item = W::View<'a>> {
        found.clear();
        let mut next = self.last.get(K::hash(key), key).copied();
        while let Some(at) = next {
            found.push(at);
            next = self.pairs[at as usize].before;
        }
        found.iter().rev().map(|at| {
            let pair = &self.pairs[*at as usize];
            self.batches[pair.batch as usize].get(pair.row as usize).1
        })
    }
}

impl<K: Key, V: Row, W: Row> Operator for HashJoin<K, V, W> {
    fn run(&self, task: &Task<'_>, out: &mut dyn Output) -> Result<()> {
        let right = Right::<K, W>::read(task, self.partitions)?;
        let mut writer = PartitionedWriter::<(K, (V, W))>::new(1, out);
        let mut found = Vec::new();
        task.read_input(0, &mut |batch| {
            task.check()?;
            for (key, value) in RowReader::<(K, V)>::open(&batch)?.iter() {
                for (at, other) in right.values(key, &mut found).enumerate() {
                    writer.push(0, (K::narrow(key), (V::narrow(value), W::narrow(other))));
                    if at % LOOK_ROWS == LOOK_ROWS - 1 {
                        task.check()?;
                    }
                }
                if writer.is_closed() {
                    break;
                }
            }
            Ok(if writer.is_closed() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        writer.finish()
    }

    fn schema(&self) -> SchemaRef {
        schema::<(K, (V, W))>()
    }

    fn steps(&self) -> Vec<Step> {
        vec![Step::new("join", &self.site)]
    }

    fn closures(&self) -> Vec<Closure> {
        Vec::new()
    }

    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        params.put(&(self.partitions, &self.site))
    }

    fn entry(&self) -> Option<u32> {
        table::position::<Self>()
    }
}

impl<K: Key, V: Row, W: Row> Shipped for HashJoin<K, V, W> {
    fn rebuild(params: &[u8]) -> Box<dyn Any> {
        let params: Result<(usize, Site)> = ParamReader::new(params).take();
        let join: Result<Arc<dyn Operator>> = params.map(|(partitions, site)| {
            Arc::new(HashJoin::<K, V, W> { partitions, site, _rows: PhantomData }) as Arc<dyn Operator>
        });
        Box::new(join)
    }
}
