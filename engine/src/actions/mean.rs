//! `mean`: the mean of numbers.

use kiln_planner::Site;
use serde::{Deserialize, Serialize};

use super::number::Number;
use super::summary::Summary;
use crate::chain::Chain;
use crate::dataset::Dataset;
use crate::error::Result;

impl<T: Number, C: Chain<Out = T>> Dataset<T, C> {
    /// The mean, or none if there are no rows; NaN when one of the rows is.
    ///
    /// Integers are added exactly, floats in the order of the rows.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// assert_eq!(cx.range(0..10).mean()?, Some(4.5));
    /// assert_eq!(cx.range(0..0).mean()?, None);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Whatever stops the job, with its class and place.
    #[track_caller]
    pub fn mean(&self) -> Result<Option<f64>> {
        let Mean { count, total } = self.summarise::<Mean<T>>(Site::caller())?;
        Ok((count > 0).then(|| T::to_float(total) / count as f64))
    }
}

/// Count and sum of some rows.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
struct Mean<T: Number> {
    count: u64,
    total: T::Total,
}

impl<T: Number> Default for Mean<T> {
    fn default() -> Self {
        Mean { count: 0, total: T::Total::default() }
    }
}

impl<T: Number> Summary<T> for Mean<T> {
    const NAME: &'static str = "mean";

    #[inline]
    fn add(&mut self, row: T::View<'_>) {
        self.count += 1;
        self.total = T::own(row).add_to(std::mem::take(&mut self.total));
    }

    fn join(&mut self, later: Self) {
        self.count += later.count;
        self.total = T::join(std::mem::take(&mut self.total), later.total);
    }
}
