//! `sum`: the sum of numbers.

use kiln_planner::Site;
use serde::{Deserialize, Serialize};

use super::number::Number;
use super::summary::Summary;
use crate::chain::Chain;
use crate::dataset::Dataset;
use crate::error::Result;

impl<T: Number, C: Chain<Out = T>> Dataset<T, C> {
    /// The sum: `i64` of signed integers, `u64` of unsigned ones, `f64` of floats, a decimal of 38 digits and
    /// the same scale of decimals; 0 without rows.
    ///
    /// Floats are added in the order of the rows, partition by partition, so that the sum is the same
    /// wherever tasks ran; it is NaN when one of them is.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// assert_eq!(cx.range(0..101).sum()?, 5050);
    /// assert_eq!(cx.parallelize([0.5f32, 0.25]).sum()?, 0.75);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Data when a sum of integers does not fit 64 bits or one of decimals 38 digits; else whatever stops the job.
    #[track_caller]
    pub fn sum(&self) -> Result<T::Sum> {
        T::to_sum(self.summarise::<Sum<T>>(Site::caller())?.0)
    }
}

/// The sum of some rows.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
struct Sum<T: Number>(T::Total);

impl<T: Number> Default for Sum<T> {
    fn default() -> Self {
        Sum(T::Total::default())
    }
}

impl<T: Number> Summary<T> for Sum<T> {
    const NAME: &'static str = "sum";

    #[inline]
    fn add(&mut self, row: T::View<'_>) {
        self.0 = T::own(row).add_to(std::mem::take(&mut self.0));
    }

    fn join(&mut self, later: Self) {
        self.0 = T::join(std::mem::take(&mut self.0), later.0);
    }
}
