//! `sample_by_key`: a random sample with a different fraction for each key.

use std::marker::PhantomData;
use std::sync::Arc;

use kiln_planner::Site;

use super::random::Random;
use super::sample::{Draws, draw, fraction_error};
use crate::chain::{Chain, Positional, RowConsumer, ThenAt};
use crate::dataset::Dataset;
use crate::error::Result;
use crate::row::{Key, Row};
use crate::ship::params::{ParamReader, ParamWriter, Ship};

impl<K: Row, V: Row, C: Chain<Out = (K, V)>> Dataset<(K, V), C> {
    /// [`sample`](Dataset::sample) with a fraction for each key: a stratified sample. Pairs of a key
    /// without a fraction are dropped, as by `sampleBy` of Spark's DataFrames. If a key has several
    /// fractions, the last one is used.
    ///
    /// The size of a key's sample is about its fraction of the key's pairs. The choice depends only on
    /// `seed` and the rows' positions.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let pairs = cx.range(0..10_000).key_by(|n| n % 3);
    /// let some = pairs.sample_by_key(false, [(0, 1.0), (1, 0.1)], 42).count_by_key().collect_as_map()?;
    /// assert_eq!((some[&0], some.get(&2)), (3334, None));
    /// assert!((250..420).contains(&some[&1]));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// The action fails with a config error when a fraction is negative or NaN, more than 1 without
    /// replacement, or more than 1e6 with replacement.
    #[track_caller]
    pub fn sample_by_key(
        self,
        with_replacement: bool,
        fractions: impl IntoIterator<Item = (K, f64)>,
        seed: u64,
    ) -> Dataset<(K, V), ThenAt<C, SampleByKey<K, V>>>
    where
        K: Key,
    {
        let fractions: Vec<(K, f64)> = fractions.into_iter().collect();
        let wrong = fractions.iter().find_map(|(_, fraction)| fraction_error(with_replacement, *fraction));
        let fractions = Arc::new(by_key(fractions));
        let sample = SampleByKey { with_replacement, fractions, seed, _row: PhantomData };
        let mut sample = self.then_at(sample, Site::caller());
        sample.origin = sample.origin.failing(wrong);
        sample
    }
}

/// The fractions in key order, with only the last fraction of each key.
fn by_key<K: Key>(mut fractions: Vec<(K, f64)>) -> Vec<(K, f64)> {
    // The sort is stable and `dedup_by` keeps the first of equal keys, so the last one must come first.
    fractions.reverse();
    fractions.sort_by(|a, b| K::compare(a.0.view(), b.0.view()));
    fractions.dedup_by(|later, first| K::same(later.0.view(), first.0.view()));
    fractions
}

/// Pushes each pair zero or more times, depending on its key.
pub struct SampleByKey<K, V> {
    with_replacement: bool,
    /// In key order, without duplicates.
    fractions: Arc<Vec<(K, f64)>>,
    seed: u64,
    _row: PhantomData<fn() -> V>,
}

impl<K, V> Clone for SampleByKey<K, V> {
    fn clone(&self) -> Self {
        SampleByKey { fractions: Arc::clone(&self.fractions), ..*self }
    }
}

impl<K: Row, V> Ship for SampleByKey<K, V> {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        params.put(&(self.with_replacement, self.seed))?;
        params.put_rows(self.fractions.iter())
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        let (with_replacement, seed) = params.take()?;
        let fractions = Arc::new(params.take_rows()?);
        Ok(SampleByKey { with_replacement, fractions, seed, _row: PhantomData })
    }
}

impl<K: Key, V: Row> Positional<(K, V)> for SampleByKey<K, V> {
    type Out = (K, V);
    type State = Draws;
    const NAME: &'static str = "sample_by_key";

    fn start(&self, partition: usize) -> Draws {
        Draws(Random::of_partition(self.seed, partition))
    }

    #[inline]
    fn push<S: RowConsumer<(K, V)>>(&self, draws: &mut Draws, row: (K::View<'_>, V::View<'_>), sink: &mut S) {
        let found = self.fractions.binary_search_by(|(key, _)| K::compare(key.view(), K::narrow(row.0)));
        let fraction = found.map_or(0.0, |at| self.fractions[at].1);
        for _ in 0..draw(draws, self.with_replacement, fraction) {
            sink.push((K::narrow(row.0), V::narrow(row.1)));
        }
    }
}
