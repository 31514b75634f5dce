//! `partition_by`: partitions pairs by key: by hash, by range or with a function.

use std::marker::PhantomData;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion_physical_plan::ExecutionPlan;
use kiln_planner::{Movement, Site};

use super::by_range::ByRange;
use super::place_by_key::{PlaceByKey, by_hash};
use crate::aggregate::Slices;
use crate::chain::{Chain, Func, FuncInfo, Plain, RowConsumer, Step, With};
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::plan::Terminal;
use crate::row::{Key, Row, schema};
use crate::ship::closure::Closure;
use crate::ship::params::{ParamReader, ParamWriter, Ship};
use crate::ship::shared::{Param, Shared};
use crate::shuffle::PartitionedWriter;
use crate::task::{Output, Task};

/// The number of partitions, and how keys are assigned to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Partitioner {
    /// By the hash of the key: equal keys share a partition, and partitions are nearly equal in size
    /// unless a key has a large share of the rows.
    Hash(usize),
    /// By ranges of the key: all keys of a partition are smaller than those of the next one. The ranges
    /// come from a sample of the keys.
    Range(usize),
}

impl<K: Row, V: Row, C: Chain<Out = (K, V)>> Dataset<(K, V), C> {
    /// Moves each pair to the partition that `by` assigns to its key. Downstream of
    /// [`Partitioner::Hash`], joins and groups do not move this side again.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// use kiln::Partitioner;
    /// let cx = kiln::Context::local(2);
    /// let pairs = cx.parallelize([(3u64, 'c' as u32), (1, 'a' as u32), (2, 'b' as u32)]);
    /// assert_eq!(pairs.partition_by(Partitioner::Hash(4)).count()?, 3);
    /// # Ok(()) }
    /// ```
    ///
    /// An action fails with a config error when the number of partitions is 0.
    #[track_caller]
    pub fn partition_by(self, by: Partitioner) -> Dataset<(K, V)>
    where
        K: Key,
    {
        let (plan, partitions, error) = self.moved_by(by, "partition_by", &Site::caller());
        let origin = self.origin.failing(error).keeping(partitions);
        match by {
            Partitioner::Hash(_) => Dataset::from_plan(plan, origin.placed_by_key(partitions)),
            Partitioner::Range(_) => Dataset::from_plan(plan, origin),
        }
    }

    /// Moves each pair to the partition that `f` returns for its key, from 0 to `partitions - 1`.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let pairs = cx.range(0..6).key_by(|n| n % 3).partition_by_fn(3, |key| key as usize);
    /// assert_eq!(pairs.map(|(key, _)| key).collect()?, [0, 0, 1, 1, 2, 2]);
    /// # Ok(()) }
    /// ```
    ///
    /// An action fails with a config error when `partitions` is 0, and with a bug error when `f`
    /// returns a partition that does not exist.
    #[track_caller]
    pub fn partition_by_fn<F>(self, partitions: usize, f: F) -> Dataset<(K, V)>
    where
        F: for<'a> Fn(K::View<'a>) -> usize + Send + Sync + 'static,
    {
        self.moved_by_fn(partitions, Plain::new(f, Site::caller()))
    }

    /// `partition_by_fn` with a value from [`Context::share`](crate::Context::share) as the first
    /// argument.
    #[track_caller]
    pub fn partition_by_fn_with<P: Param, F>(
        self,
        shared: &Shared<P>,
        partitions: usize,
        f: F,
    ) -> Dataset<(K, V)>
    where
        F: for<'a> Fn(&'a P, K::View<'a>) -> usize + Send + Sync + 'static,
    {
        self.moved_by_fn(partitions, With::new(shared, f, Site::caller()))
    }

    /// The pairs after the exchange, their number of partitions, and an error if that number was 0.
    pub(super) fn moved_by(
        &self,
        by: Partitioner,
        name: &str,
        site: &Site,
    ) -> (Arc<dyn ExecutionPlan>, usize, Option<Error>)
    where
        K: Key,
    {
        let (Partitioner::Hash(partitions) | Partitioner::Range(partitions)) = by;
        let (partitions, error) = at_least_one(partitions, name);
        let plan = match by {
            Partitioner::Hash(_) => {
                let (how, why) =
                    (by_hash(Slices::whole(partitions)), format!("{name} brings equal keys together"));
                self.exchange(PlaceByKey::new(partitions), how, &why, site.clone())
            }
            Partitioner::Range(_) => {
                let (how, why) =
                    (Movement::Range { partitions }, format!("{name} puts ranges of keys in order"));
                self.exchange(ByRange::<K>::new(partitions), how, &why, site.clone())
            }
        };
        (plan, partitions, error)
    }

    fn moved_by_fn<G>(self, partitions: usize, choose: G) -> Dataset<(K, V)>
    where
        G: FuncInfo + for<'a> Func<'a, K::View<'a>, Out = usize>,
    {
        let (partitions, error) = at_least_one(partitions, NAME);
        let (how, site) = (Movement::Chosen { partitions }, choose.site().clone());
        let end = Chosen { partitions, choose, _row: PhantomData };
        let moved = self.exchange(end, how, "partition_by_fn says where keys go", site);
        Dataset::from_plan(moved, self.origin.keeping(partitions).failing(error))
    }
}

const NAME: &str = "partition_by_fn";

/// The number of partitions to plan with, at least 1, and the error of an action if it was 0.
pub(super) fn at_least_one(partitions: usize, name: &str) -> (usize, Option<Error>) {
    let none = || Error::config(format!("{name} into 0 partitions")).help("there is at least one partition");
    (partitions.max(1), (partitions == 0).then(none))
}

/// Sends each pair to the partition that the user's function returns.
struct Chosen<K, V, G> {
    partitions: usize,
    choose: G,
    _row: PhantomData<fn() -> (K, V)>,
}

impl<K, V, G: Ship> Ship for Chosen<K, V, G> {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        params.put(&self.partitions)?;
        self.choose.ship(params)
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        let partitions = params.take()?;
        Ok(Chosen { partitions, choose: G::rebuild(params)?, _row: PhantomData })
    }
}

impl<K: Row, V: Row, G> Terminal<(K, V)> for Chosen<K, V, G>
where
    G: FuncInfo + for<'a> Func<'a, K::View<'a>, Out = usize>,
{
    fn run<C: Chain<Out = (K, V)>>(&self, chain: &C, task: &Task<'_>, out: &mut dyn Output) -> Result<()> {
        let writer = PartitionedWriter::<(K, V)>::new(self.partitions, out);
        let mut sink = ChosenSink { writer, choose: &self.choose, wrong: None };
        chain.drive(task, &mut sink)?;
        if let Some(wrong) = sink.wrong {
            let text = format!("partition_by_fn chose partition {wrong} of {}", self.partitions);
            let help = "the function must give a number below the number of partitions";
            return Err(Error::bug(text).at("line", self.choose.site()).help(help));
        }
        sink.writer.finish()
    }

    fn schema(&self) -> SchemaRef {
        schema::<(K, V)>()
    }

    fn steps(&self, steps: &mut Vec<Step>) {
        steps.push(Step::new(NAME, self.choose.site()));
    }

    fn closures(&self, closures: &mut Vec<Closure>) {
        closures.push(self.choose.describe(NAME));
    }
}

struct ChosenSink<'a, K: Row, V: Row, G> {
    writer: PartitionedWriter<'a, (K, V)>,
    choose: &'a G,
    /// A partition that the function returned and that does not exist.
    wrong: Option<usize>,
}

impl<K: Row, V: Row, G> RowConsumer<(K, V)> for ChosenSink<'_, K, V, G>
where
    G: for<'a> Func<'a, K::View<'a>, Out = usize>,
{
    #[inline]
    fn push(&mut self, (key, value): (K::View<'_>, V::View<'_>)) {
        let choose = self.choose;
        let partition = choose.call(K::narrow(key));
        if partition < self.writer.partitions() {
            self.writer.push(partition, (K::narrow(key), V::narrow(value)));
        } else {
            self.wrong.get_or_insert(partition);
        }
    }
    fn is_full(&self) -> bool {
        self.wrong.is_some() || self.writer.is_closed()
    }
}
