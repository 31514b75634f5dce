//! `filter_by_range`: keeps the pairs whose keys are between two keys.

use std::cmp::Ordering;
use std::marker::PhantomData;
use std::sync::Arc;

use kiln_planner::Site;

use crate::chain::{Chain, Positional, RowConsumer, ThenAt};
use crate::dataset::Dataset;
use crate::error::Result;
use crate::row::{Key, Row};
use crate::ship::params::{ParamReader, ParamWriter, Ship};

impl<K: Row, V: Row, C: Chain<Out = (K, V)>> Dataset<(K, V), C> {
    /// Keeps the pairs whose keys are from `low` to `high`, both included. Keys have the same order as
    /// in [`sort_by_key`](Dataset::sort_by_key), where NaN is larger than all other floats. If `low` is
    /// larger than `high`, nothing is kept.
    ///
    /// Every partition is read, even if the rows are range-partitioned by key. Pairs stay in their
    /// partition, so a later join does not move them.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let words = cx.parallelize([("a", 1u64), ("b", 2), ("c", 3), ("d", 4)].map(|(w, n)| (w.to_owned(), n)));
    /// assert_eq!(words.filter_by_range("b", "c").values().collect()?, [2, 3]);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn filter_by_range(
        self,
        low: K::View<'_>,
        high: K::View<'_>,
    ) -> Dataset<(K, V), ThenAt<C, KeyRange<K, V>>>
    where
        K: Key,
    {
        let ends = Arc::new((K::own(low), K::own(high)));
        self.then_at(KeyRange { ends, _row: PhantomData }, Site::caller())
    }
}

/// Keeps the pairs whose keys are in a range.
pub struct KeyRange<K, V> {
    /// The smallest and the largest key to keep.
    ends: Arc<(K, K)>,
    _row: PhantomData<fn() -> V>,
}

impl<K, V> Clone for KeyRange<K, V> {
    fn clone(&self) -> Self {
        KeyRange { ends: Arc::clone(&self.ends), _row: PhantomData }
    }
}

impl<K: Row, V> Ship for KeyRange<K, V> {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        params.put_rows([&*self.ends])
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        Ok(KeyRange { ends: Arc::new(params.take_row()?), _row: PhantomData })
    }
}

impl<K: Key, V: Row> Positional<(K, V)> for KeyRange<K, V> {
    type Out = (K, V);
    type State = ();
    const NAME: &'static str = "filter_by_range";

    fn start(&self, _: usize) {}

    #[inline]
    fn push<S: RowConsumer<(K, V)>>(&self, (): &mut (), row: (K::View<'_>, V::View<'_>), sink: &mut S) {
        let (low, high) = &*self.ends;
        let is_in_range = K::compare(K::narrow(row.0), low.view()) != Ordering::Less
            && K::compare(K::narrow(row.0), high.view()) != Ordering::Greater;
        if is_in_range {
            sink.push((K::narrow(row.0), V::narrow(row.1)));
        }
    }
}
