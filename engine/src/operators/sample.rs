//! `sample`: a random sample of the rows.

use kiln_planner::Site;

use super::random::Random;
use crate::chain::{Chain, Positional, RowConsumer, ThenAt};
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::row::Row;
use crate::ship::params::{ParamReader, ParamWriter, Ship};

/// Upper limit of how often a row may be taken on average.
const MAX_TIMES: f64 = 1e6;

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// A random sample. Without replacement, each row is kept with the probability `fraction`, from 0
    /// to 1. With replacement, it is taken a Poisson-distributed number of times, `fraction` on
    /// average. The size of the sample is therefore only about `fraction` of the rows.
    ///
    /// The choice depends only on `seed` and the rows' positions, so attempts and runs agree.
    /// [`Context::seed`](crate::Context::seed) generates a seed.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let some = cx.range(0..10_000).sample(false, 0.1, 42);
    /// assert!((900..1100).contains(&some.count()?));
    /// assert_eq!(some.collect()?, some.collect()?);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// The action fails with a config error when `fraction` is negative or NaN, more than 1 without
    /// replacement, or more than 1e6 with replacement.
    #[track_caller]
    pub fn sample(self, with_replacement: bool, fraction: f64, seed: u64) -> Dataset<T, ThenAt<C, Sample>> {
        let error = fraction_error(with_replacement, fraction);
        let mut sample = self.then_at(Sample { with_replacement, fraction, seed }, Site::caller());
        sample.origin = sample.origin.failing(error);
        sample
    }
}

/// The error if a sample cannot have `fraction` of the rows.
pub(super) fn fraction_error(with_replacement: bool, fraction: f64) -> Option<Error> {
    let most = if with_replacement { MAX_TIMES } else { 1.0 };
    let error = || Error::config(format!("a sample cannot be {fraction} of the rows"));
    let advice = "without replacement give a fraction from 0 to 1, with replacement one to 1e6";
    (!(0.0..=most).contains(&fraction)).then(|| error().help(advice))
}

/// Pushes each row zero or more times.
#[derive(Clone)]
pub struct Sample {
    with_replacement: bool,
    fraction: f64,
    seed: u64,
}

impl Ship for Sample {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        params.put(&(self.with_replacement, self.fraction, self.seed))
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        let (with_replacement, fraction, seed) = params.take()?;
        Ok(Sample { with_replacement, fraction, seed })
    }
}

/// The remaining random numbers of a partition.
pub struct Draws(pub(super) Random);

/// How often the next row is taken.
#[inline]
pub(super) fn draw(draws: &mut Draws, with_replacement: bool, fraction: f64) -> u64 {
    if with_replacement { draws.0.poisson(fraction) } else { u64::from(draws.0.unit() < fraction) }
}

impl<T: Row> Positional<T> for Sample {
    type Out = T;
    type State = Draws;
    const NAME: &'static str = "sample";

    fn start(&self, partition: usize) -> Draws {
        Draws(Random::of_partition(self.seed, partition))
    }

    #[inline]
    fn push<S: RowConsumer<T>>(&self, draws: &mut Draws, row: T::View<'_>, sink: &mut S) {
        for _ in 0..draw(draws, self.with_replacement, self.fraction) {
            sink.push(row);
        }
    }
}
