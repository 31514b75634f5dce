//! `max`: the largest row.

use kiln_planner::Site;

use super::min::Extreme;
use crate::chain::Chain;
use crate::dataset::Dataset;
use crate::error::Result;
use crate::row::Key;

impl<T: Key, C: Chain<Out = T>> Dataset<T, C> {
    /// The largest row in the order of keys, or none if there are no rows; of equal rows the first.
    ///
    /// NaN is larger than all other floats, as in Spark. [`top`](Dataset::top) goes by a key of your own.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// assert_eq!(cx.parallelize(["brick", "kiln"].map(String::from)).max()?, Some("kiln".to_owned()));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Whatever stops the job, with its class and place.
    #[track_caller]
    pub fn max(&self) -> Result<Option<T>> {
        self.extreme(Extreme::<T, true>::new(Site::caller()))
    }
}
