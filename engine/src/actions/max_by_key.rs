//! `max_by_key`: the row with the largest key. `min_by_key`, in its own file, is the same for the smallest.

use std::cmp::Ordering;
use std::marker::PhantomData;

use arrow::datatypes::SchemaRef;
use kiln_planner::Site;

use super::key_of::KeyOf;
use crate::chain::{Chain, Exact, Into1, Into2, Plain, RowConsumer, Step, With};
use crate::dataset::Dataset;
use crate::error::Result;
use crate::plan::Terminal;
use crate::row::{Key, Row, ipc, schema};
use crate::ship::closure::Closure;
use crate::ship::params::{ParamReader, ParamWriter, Ship};
use crate::ship::shared::{Param, Shared};
use crate::shuffle::PartitionedWriter;
use crate::task::{Output, Task};

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// The row for which `key` is largest, or none if there are no rows; of rows with equal keys the last, as
    /// [`Iterator::max_by_key`] has it ([`top`](Dataset::top) puts the first of them first).
    ///
    /// The key is owned; a closure that returns what it borrows goes to
    /// [`max_by_key_to`](Dataset::max_by_key_to). NaN is larger than all other floats.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let words = cx.parallelize(["brick", "kiln", "oven"].map(String::from));
    /// assert_eq!(words.max_by_key(|word| word.len())?, Some("brick".to_owned()));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Whatever stops the job, with its class and place.
    #[track_caller]
    pub fn max_by_key<K: Key, F>(&self, key: F) -> Result<Option<T>>
    where
        F: for<'a> Fn(T::View<'a>) -> K + Send + Sync + 'static,
    {
        self.extreme_by::<K, _, true>(Plain::new(key, Site::caller()))
    }

    /// `max_by_key` with a value from [`Context::share`](crate::Context::share) as the first argument.
    ///
    /// # Errors
    /// Whatever stops the job, with its class and place.
    #[track_caller]
    pub fn max_by_key_with<P: Param, K: Key, F>(&self, shared: &Shared<P>, key: F) -> Result<Option<T>>
    where
        F: for<'a> Fn(&'a P, T::View<'a>) -> K + Send + Sync + 'static,
    {
        self.extreme_by::<K, _, true>(With::new(shared, key, Site::caller()))
    }

    /// `max_by_key` by a key type that is named, so that a closure may return what it borrows.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let counts = cx.parallelize([("b", 1u64), ("c", 3), ("a", 3)].map(|(w, n)| (w.to_owned(), n)));
    /// let most = counts.max_by_key_to::<(u64, String)>(|(word, n)| (n, word))?;
    /// assert_eq!(most, Some(("c".to_owned(), 3)));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Whatever stops the job, with its class and place.
    #[track_caller]
    pub fn max_by_key_to<K: Key>(
        &self,
        key: impl for<'a> Into1<T::View<'a>, K::View<'a>> + Send + Sync + 'static,
    ) -> Result<Option<T>> {
        self.extreme_by::<K, _, true>(Exact::<_, K>::new(Plain::new(key, Site::caller())))
    }

    /// `max_by_key_to` with a value from [`Context::share`](crate::Context::share) as the first argument.
    ///
    /// # Errors
    /// Whatever stops the job, with its class and place.
    #[track_caller]
    pub fn max_by_key_to_with<K: Key, P: Param>(
        &self,
        shared: &Shared<P>,
        key: impl for<'a> Into2<'a, P, T::View<'a>, K::View<'a>> + Send + Sync + 'static,
    ) -> Result<Option<T>> {
        self.extreme_by::<K, _, true>(Exact::<_, K>::new(With::new(shared, key, Site::caller())))
    }

    /// The row whose key is largest or smallest.
    pub(super) fn extreme_by<K: Key, G: KeyOf<T, K>, const LARGEST: bool>(
        &self,
        key: G,
    ) -> Result<Option<T>> {
        self.origin.check()?;
        let end = ExtremeByKey::<K, T, G, LARGEST> { key, _row: PhantomData };
        let parts: Vec<(K, T)> = ipc::rows_of(&self.origin.cx.act(&self.end_in(end))?.batches)?;
        let better = |best: (K, T), next: (K, T)| {
            if beats::<K, LARGEST>(next.0.view(), best.0.view()) { next } else { best }
        };
        Ok(parts.into_iter().reduce(better).map(|(_, row)| row))
    }
}

/// Whether a row takes the place of the best one before it: of equal keys the last is the largest, and the first
/// is the smallest, as among the items of an iterator.
fn beats<K: Key, const LARGEST: bool>(key: K::View<'_>, best: K::View<'_>) -> bool {
    let order = K::compare(key, best);
    if LARGEST { order != Ordering::Less } else { order == Ordering::Less }
}

/// Finds the row of a partition with the largest or the smallest key.
struct ExtremeByKey<K, T, G, const LARGEST: bool> {
    key: G,
    _row: PhantomData<fn() -> (K, T)>,
}

impl<K, T, G, const LARGEST: bool> ExtremeByKey<K, T, G, LARGEST> {
    const NAME: &'static str = if LARGEST { "max_by_key" } else { "min_by_key" };
}

impl<K, T, G: Ship, const LARGEST: bool> Ship for ExtremeByKey<K, T, G, LARGEST> {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        self.key.ship(params)
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        Ok(ExtremeByKey { key: G::rebuild(params)?, _row: PhantomData })
    }
}

impl<K: Key, T: Row, G: KeyOf<T, K>, const LARGEST: bool> Terminal<T> for ExtremeByKey<K, T, G, LARGEST> {
    fn run<C: Chain<Out = T>>(&self, chain: &C, task: &Task<'_>, out: &mut dyn Output) -> Result<()> {
        let mut sink = ExtremeSink::<K, T, G, LARGEST> { key: &self.key, best: None };
        chain.drive(task, &mut sink)?;
        let mut writer = PartitionedWriter::<(K, T)>::new(1, out);
        sink.best.iter().for_each(|(key, row)| writer.push(0, (key.view(), row.view())));
        writer.finish()
    }

    fn schema(&self) -> SchemaRef {
        schema::<(K, T)>()
    }

    fn steps(&self, steps: &mut Vec<Step>) {
        steps.push(Step::new(Self::NAME, self.key.site()));
    }

    fn closures(&self, closures: &mut Vec<Closure>) {
        closures.push(self.key.describe(Self::NAME));
    }
}

struct ExtremeSink<'a, K, T, G, const LARGEST: bool> {
    key: &'a G,
    best: Option<(K, T)>,
}

impl<K: Key, T: Row, G: KeyOf<T, K>, const LARGEST: bool> RowConsumer<T>
    for ExtremeSink<'_, K, T, G, LARGEST>
{
    #[inline]
    fn push(&mut self, row: T::View<'_>) {
        let best = &mut self.best;
        self.key.with_key(T::narrow(row), |key| {
            // Only a row that is better than the best is copied.
            if best.as_ref().is_none_or(|(best, _)| beats::<K, LARGEST>(K::narrow(key), best.view())) {
                *best = Some((K::own(key), T::own(row)));
            }
        });
    }
}
