//! `count_approx_distinct`: about how many distinct rows there are.

use crate::chain::Chain;
use crate::dataset::Dataset;
use crate::error::Result;
use crate::row::{Key, Row};

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// Estimates the number of distinct rows, with a standard error of about `relative_sd` (0.05 is
    /// usual). Each task keeps a sketch of (1.04 / `relative_sd`)² bytes at most, and only that moves.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// assert_eq!(cx.parallelize([3u64, 1, 3]).count_approx_distinct(0.05)?, 2);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Of class config when `relative_sd` is not between 0.001 and 1; else whatever stops the job,
    /// with its class and place.
    #[track_caller]
    pub fn count_approx_distinct(&self, relative_sd: f64) -> Result<u64>
    where
        T: Key,
    {
        let rows = self.clone().map_to::<(bool, T)>(|row| (true, row));
        let counts = rows.count_approx_distinct_by_key(relative_sd).collect()?;
        Ok(counts.first().map_or(0, |(_, count)| *count))
    }
}
