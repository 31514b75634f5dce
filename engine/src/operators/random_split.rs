//! `random_split`: splits the rows at random into datasets of given weights.

use std::ops::Range;

use kiln_planner::Site;

use super::random::Random;
use crate::chain::{Chain, Positional, RowConsumer, ThenAt};
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::row::Row;
use crate::ship::params::{ParamReader, ParamWriter, Ship};

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// One dataset per weight. Every row is in exactly one of them, with a probability proportional to
    /// its weight. The choice depends only on `seed` and the rows' positions.
    ///
    /// Each of the datasets computes all rows when an action needs it. If that is expensive, call
    /// [`cache`](Dataset::cache) first.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let parts = cx.range(0..1000).random_split(&[0.8, 0.2], 42);
    /// assert_eq!(parts[0].count()? + parts[1].count()?, 1000);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// The action fails with a config error when a weight is negative or not finite, or all weights are
    /// 0.
    #[track_caller]
    pub fn random_split(self, weights: &[f64], seed: u64) -> Vec<Dataset<T, ThenAt<C, Share>>> {
        let site = Site::caller();
        let sum: f64 = weights.iter().sum();
        let sound = weights.iter().all(|weight| *weight >= 0.0) && sum > 0.0 && sum.is_finite();
        let error = Error::config(format!("rows cannot be split by the weights {weights:?}"))
            .help("give weights from 0, not all of them 0");
        let part = |at: usize| {
            let share = Share { range: range(weights, sum, at), seed };
            let mut part = self.clone().then_at(share, site.clone());
            if !sound {
                part.origin = part.origin.failing(error.clone());
            }
            part
        };
        (0..weights.len()).map(part).collect()
    }
}

/// The range in `0.0..1.0` of one weight. Adjacent ranges compute their common bound in the same way,
/// so rounding causes neither gaps nor overlaps.
fn range(weights: &[f64], sum: f64, at: usize) -> Range<f64> {
    let border = |end: usize| weights[..end].iter().sum::<f64>() / sum;
    let end = if at + 1 == weights.len() { f64::INFINITY } else { border(at + 1) };
    border(at)..end
}

/// Keeps the rows whose random number is in a range.
#[derive(Clone)]
pub struct Share {
    range: Range<f64>,
    seed: u64,
}

impl Ship for Share {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        params.put(&(self.range.start, self.range.end, self.seed))
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        let (start, end, seed) = params.take()?;
        Ok(Share { range: start..end, seed })
    }
}

/// The remaining random numbers of a partition.
pub struct Draws(Random);

impl<T: Row> Positional<T> for Share {
    type Out = T;
    type State = Draws;
    const NAME: &'static str = "random_split";

    fn start(&self, partition: usize) -> Draws {
        Draws(Random::of_partition(self.seed, partition))
    }

    #[inline]
    fn push<S: RowConsumer<T>>(&self, draws: &mut Draws, row: T::View<'_>, sink: &mut S) {
        if self.range.contains(&draws.0.unit()) {
            sink.push(row);
        }
    }
}
