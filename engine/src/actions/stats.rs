//! `stats`: count, sum, mean, variance and extremes in one pass.

use kiln_planner::Site;
use serde::{Deserialize, Serialize};

use super::number::Number;
use super::summary::Summary;
use crate::chain::Chain;
use crate::dataset::Dataset;
use crate::error::Result;
use crate::row::Key;

impl<T: Number, C: Chain<Out = T>> Dataset<T, C> {
    /// Count, sum, mean, variance and extremes, or none if there are no rows.
    ///
    /// All are floats: integers beyond 2^53 are rounded, and [`sum`](Dataset::sum) is exact where this
    /// one is not. When a row is NaN, so are sum, mean, variance and the maximum.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let stats = cx.parallelize([2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]).stats()?.expect("there are rows");
    /// assert_eq!((stats.count(), stats.mean(), stats.stdev()), (8, 5.0, 2.0));
    /// assert_eq!((stats.min(), stats.max(), stats.sum()), (2.0, 9.0, 40.0));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Whatever stops the job, with its class and place.
    #[track_caller]
    pub fn stats(&self) -> Result<Option<Stats>> {
        let stats: Stats = self.summarise(Site::caller())?;
        Ok((stats.count > 0).then_some(stats))
    }
}

/// What [`Dataset::stats`] says about numbers; there is one at least.
///
/// The mean and the squared distances from it are carried from row to row (Welford, 1962) and joined
/// over partitions (Chan, Golub, LeVeque, 1979): the sum of squares less the square of the sum would
/// lose all digits when the variance is small against the mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    count: u64,
    sum: f64,
    mean: f64,
    /// The sum of the squared distances from the mean.
    squares: f64,
    min: f64,
    max: f64,
}

impl Stats {
    /// Numbers.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Their sum.
    pub fn sum(&self) -> f64 {
        self.sum
    }

    /// Their mean.
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// The smallest; NaN only when all are.
    pub fn min(&self) -> f64 {
        self.min
    }

    /// The largest; NaN counts as larger than all others, as in the order of keys.
    pub fn max(&self) -> f64 {
        self.max
    }

    /// The variance of these numbers as the whole population.
    pub fn variance(&self) -> f64 {
        self.squares / self.count as f64
    }

    /// The root of the variance.
    pub fn stdev(&self) -> f64 {
        self.variance().sqrt()
    }

    /// The variance of the population of which these numbers are a sample; NaN for one number.
    pub fn sample_variance(&self) -> f64 {
        self.squares / (self.count as f64 - 1.0)
    }

    /// The root of the sample's variance.
    pub fn sample_stdev(&self) -> f64 {
        self.sample_variance().sqrt()
    }

    /// Takes in one number.
    #[inline]
    fn push(&mut self, x: f64) {
        if self.count == 0 {
            (self.min, self.max) = (x, x);
        }
        self.count += 1;
        self.sum += x;
        let from_old = x - self.mean;
        self.mean += from_old / self.count as f64;
        self.squares += from_old * (x - self.mean);
        self.widen(x, x);
    }

    #[inline]
    fn widen(&mut self, min: f64, max: f64) {
        if f64::compare(min, self.min).is_lt() {
            self.min = min;
        }
        if f64::compare(max, self.max).is_gt() {
            self.max = max;
        }
    }
}

impl<T: Number> Summary<T> for Stats {
    const NAME: &'static str = "stats";

    #[inline]
    fn add(&mut self, row: T::View<'_>) {
        self.push(T::own(row).float());
    }

    fn join(&mut self, later: Self) {
        if self.count == 0 || later.count == 0 {
            return if later.count > 0 {
                *self = later
            };
        }
        let (a, b) = (self.count as f64, later.count as f64);
        let apart = later.mean - self.mean;
        self.mean += apart * (b / (a + b));
        self.squares += later.squares + apart * apart * (a * b / (a + b));
        self.count += later.count;
        self.sum += later.sum;
        self.widen(later.min, later.max);
    }
}
