//! `reduce_by_key`: reduces the values of each key to one, with a map-side combine.

use std::sync::Arc;

use kiln_planner::Site;

use super::place_by_key::by_hash;
use crate::aggregate::{Aggregate, Combine, Merge, Name, NoShared, Placed, Reduce};
use crate::chain::Chain;
use crate::dataset::Dataset;
use crate::plan::OperatorExec;
use crate::row::{Key, Row};
use crate::ship::shared::{Param, Shared};

impl<K: Row, V: Row, C: Chain<Out = (K, V)>> Dataset<(K, V), C> {
    /// Reduces the values of each key to one. `f` must be associative and commutative.
    ///
    /// Every task combines its own rows first, so only one row per key and task is shuffled. Pairs that
    /// are already hash-partitioned by key, after [`partition_by`](Dataset::partition_by), a join or
    /// another aggregate, are not shuffled at all.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let words = cx.parallelize(["a", "b", "a"].map(String::from));
    /// let mut counts = words.map_to::<(String, u64)>(|w| (w, 1)).reduce_by_key(|a, b| a + b).collect()?;
    /// counts.sort();
    /// assert_eq!(counts, [("a".to_owned(), 2), ("b".to_owned(), 1)]);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn reduce_by_key<F>(self, f: F) -> Dataset<(K, V)>
    where
        K: Key,
        F: Fn(V, V) -> V + Send + Sync + 'static,
    {
        self.aggregate_keys(Reduce::<V, _, F>::new(NoShared, f, Name::ReduceByKey, Site::caller()))
    }

    /// `reduce_by_key` with a value from [`Context::share`](crate::Context::share) as the first argument.
    #[track_caller]
    pub fn reduce_by_key_with<P: Param, F>(self, shared: &Shared<P>, f: F) -> Dataset<(K, V)>
    where
        K: Key,
        F: for<'p> Fn(&'p P, V, V) -> V + Send + Sync + 'static,
    {
        self.aggregate_keys(Reduce::<V, _, F>::new(shared.clone(), f, Name::ReduceByKey, Site::caller()))
    }

    /// Combine, exchange and merge; without the exchange if the pairs are already hash-partitioned by
    /// key.
    pub(crate) fn aggregate_keys<G: Aggregate<Value = V>>(self, aggregate: G) -> Dataset<(K, G::Acc)>
    where
        K: Key,
    {
        let slices = self.origin.slices();
        if self.origin.placed.is_some() {
            let plan = self.end_in(Placed::new(aggregate, slices));
            return Dataset::from_plan(plan, self.origin.placed_by_key(slices.partitions()));
        }
        let (name, site) = aggregate.name();
        let (reason, site) = (format!("{name} brings equal keys together"), site.clone());
        let end = Combine::new(aggregate.clone(), slices.count());
        let moved = self.exchange(end, by_hash(slices), &reason, site);
        let merge = Merge::<K, G>::operator(aggregate, slices);
        let plan = Arc::new(OperatorExec::new(merge, vec![moved], slices.partitions()));
        Dataset::from_plan(plan, self.origin.placed_by_key(slices.partitions()))
    }
}
