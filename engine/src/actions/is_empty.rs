//! `is_empty`: whether there are rows at all.

use crate::chain::Chain;
use crate::dataset::Dataset;
use crate::error::Result;
use crate::row::Row;

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// Whether there is no row. It stops at the first one: like [`take`](Dataset::take), it computes
    /// no more partitions than it must.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// assert!(cx.range(0..1000).filter(|n| n > 1000).is_empty()?);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Whatever stops the job, with its class and place.
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.take(1)?.is_empty())
    }
}
