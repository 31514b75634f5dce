//! `top`: the rows with the largest keys. `take_ordered`, in its own file, is the same for the smallest.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::marker::PhantomData;
use std::panic::AssertUnwindSafe;

use arrow::datatypes::SchemaRef;
use kiln_planner::Site;

use super::key_of::KeyOf;
use crate::chain::{Chain, Exact, Into1, Into2, Plain, RowConsumer, RowFn, SharedRowFn, Step, With};
use crate::dataset::Dataset;
use crate::error::Result;
use crate::job;
use crate::plan::Terminal;
use crate::row::{Key, Row, ipc, schema};
use crate::ship::closure::Closure;
use crate::ship::params::{ParamReader, ParamWriter, Ship};
use crate::ship::shared::{Param, Shared};
use crate::shuffle::PartitionedWriter;
use crate::task::{Output, Task};

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// The `n` rows for which `key` is largest, largest first; of rows with equal keys those that
    /// come first. Keys are what [`sort_by`](Dataset::sort_by) takes: of floats NaN is the largest. Each task keeps
    /// `n` rows at most.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let words = cx.parallelize(["aa", "b", "cccc"].map(String::from));
    /// assert_eq!(words.top(2, |word| word.len())?, ["cccc", "aa"]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Whatever stops the job, with its class and place.
    #[track_caller]
    pub fn top<K: Key, F: RowFn<T, K>>(&self, n: usize, key: F) -> Result<Vec<T>> {
        self.top_by::<K, _, false>(n, Plain::new(key, Site::caller()))
    }

    /// `top` with a value from [`Context::share`](crate::Context::share) as the first argument.
    ///
    /// # Errors
    /// Whatever stops the job, with its class and place.
    #[track_caller]
    pub fn top_with<P: Param, K: Key, F: SharedRowFn<P, T, K>>(
        &self,
        shared: &Shared<P>,
        n: usize,
        key: F,
    ) -> Result<Vec<T>> {
        self.top_by::<K, _, false>(n, With::new(shared, key, Site::caller()))
    }

    /// `top` with a key type that is named, so that the key may borrow from the row: only the keys of rows
    /// that are kept are copied.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let counts = cx.parallelize([("a".to_owned(), 2u64), ("b".to_owned(), 2)]);
    /// assert_eq!(counts.top_to::<(u64, String)>(1, |(word, n)| (n, word))?, [("b".to_owned(), 2)]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Whatever stops the job, with its class and place.
    #[track_caller]
    pub fn top_to<K: Key>(
        &self,
        n: usize,
        key: impl for<'a> Into1<T::View<'a>, K::View<'a>> + Send + Sync + 'static,
    ) -> Result<Vec<T>> {
        self.top_by::<K, _, false>(n, Exact::<_, K>::new(Plain::new(key, Site::caller())))
    }

    /// `top_to` with a value from [`Context::share`](crate::Context::share) as the first argument.
    ///
    /// # Errors
    /// Whatever stops the job, with its class and place.
    #[track_caller]
    pub fn top_to_with<K: Key, P: Param>(
        &self,
        shared: &Shared<P>,
        n: usize,
        key: impl for<'a> Into2<'a, P, T::View<'a>, K::View<'a>> + Send + Sync + 'static,
    ) -> Result<Vec<T>> {
        self.top_by::<K, _, false>(n, Exact::<_, K>::new(With::new(shared, key, Site::caller())))
    }

    /// The `n` rows with the largest keys, or the smallest, in that order.
    pub(super) fn top_by<K: Key, G, const SMALLEST: bool>(&self, n: usize, key: G) -> Result<Vec<T>>
    where
        G: KeyOf<T, K>,
    {
        self.origin.check()?;
        let end = Top::<K, G, SMALLEST> { rows: n, key: key.clone(), _order: PhantomData };
        let candidates: Vec<T> = ipc::rows_of(&self.origin.cx.act(&self.end_in(end))?.batches)?;
        let mut ranked = job::catch(AssertUnwindSafe(|| {
            let mut ranked: Vec<(K, T)> =
                candidates.into_iter().map(|row| (key.with_key(row.view(), K::own), row)).collect();
            ranked.sort_by(|a, b| rank::<K, SMALLEST>(b.0.view(), a.0.view()));
            Ok(ranked)
        }))?;
        ranked.truncate(n);
        Ok(ranked.into_iter().map(|(_, row)| row).collect())
    }
}

/// How two keys rank: the larger one higher, or the smaller one.
fn rank<K: Key, const SMALLEST: bool>(a: K::View<'_>, b: K::View<'_>) -> Ordering {
    let order = K::compare(a, b);
    if SMALLEST { order.reverse() } else { order }
}

/// The rows of a partition whose keys rank highest, in the order in which they came.
struct Top<O, G, const SMALLEST: bool> {
    rows: usize,
    key: G,
    _order: PhantomData<fn() -> O>,
}

impl<O, G, const SMALLEST: bool> Top<O, G, SMALLEST> {
    const NAME: &'static str = if SMALLEST { "take_ordered" } else { "top" };
}

impl<O, G: Ship, const SMALLEST: bool> Ship for Top<O, G, SMALLEST> {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        params.put(&self.rows)?;
        self.key.ship(params)
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        let rows = params.take()?;
        Ok(Top { rows, key: G::rebuild(params)?, _order: PhantomData })
    }
}

impl<T: Row, O: Key, G: KeyOf<T, O>, const SMALLEST: bool> Terminal<T> for Top<O, G, SMALLEST> {
    fn run<C: Chain<Out = T>>(&self, chain: &C, task: &Task<'_>, out: &mut dyn Output) -> Result<()> {
        let mut sink = TopSink::<O, G, T, SMALLEST> {
            room: self.rows,
            key: &self.key,
            seen: 0,
            best: BinaryHeap::new(),
        };
        chain.drive(task, &mut sink)?;
        let mut best = sink.best.into_vec();
        best.sort_by_key(|ranked| ranked.0.seen);
        let mut writer = PartitionedWriter::<T>::new(1, out);
        best.iter().for_each(|ranked| writer.push(0, ranked.0.row.view()));
        writer.finish()
    }

    fn schema(&self) -> SchemaRef {
        schema::<T>()
    }

    fn steps(&self, steps: &mut Vec<Step>) {
        steps.push(Step::new(Self::NAME, self.key.site()));
    }

    fn closures(&self, closures: &mut Vec<Closure>) {
        closures.push(self.key.describe(Self::NAME));
    }
}

/// A row with its rank: of rows with equal keys the earlier one ranks higher.
struct Ranked<O, T, const SMALLEST: bool> {
    key: O,
    seen: u64,
    row: T,
}

impl<O: Key, T, const SMALLEST: bool> Ord for Ranked<O, T, SMALLEST> {
    fn cmp(&self, other: &Self) -> Ordering {
        rank::<O, SMALLEST>(self.key.view(), other.key.view()).then(other.seen.cmp(&self.seen))
    }
}
impl<O: Key, T, const SMALLEST: bool> PartialOrd for Ranked<O, T, SMALLEST> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<O: Key, T, const SMALLEST: bool> PartialEq for Ranked<O, T, SMALLEST> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}
impl<O: Key, T, const SMALLEST: bool> Eq for Ranked<O, T, SMALLEST> {}

struct TopSink<'a, O, G, T, const SMALLEST: bool> {
    room: usize,
    key: &'a G,
    seen: u64,
    /// The lowest rank on top.
    best: BinaryHeap<Reverse<Ranked<O, T, SMALLEST>>>,
}

impl<T: Row, O: Key, G: KeyOf<T, O>, const SMALLEST: bool> RowConsumer<T> for TopSink<'_, O, G, T, SMALLEST> {
    #[inline]
    fn push(&mut self, row: T::View<'_>) {
        self.seen += 1;
        let Some(key) = self.key.with_key(row, |key| self.is_wanted(key).then(|| O::own(key))) else {
            return;
        };
        if self.best.len() == self.room {
            self.best.pop();
        }
        self.best.push(Reverse(Ranked { key, seen: self.seen, row: T::own(row) }));
    }
}

impl<O: Key, G, T, const SMALLEST: bool> TopSink<'_, O, G, T, SMALLEST> {
    /// Whether a row with `key` belongs to the best so far.
    fn is_wanted(&self, key: O::View<'_>) -> bool {
        self.best.len() < self.room
            || self.best.peek().is_some_and(|lowest| rank::<O, SMALLEST>(key, lowest.0.key.view()).is_gt())
    }
}
