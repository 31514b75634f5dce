//! `first`: the first row.

use crate::chain::Chain;
use crate::dataset::Dataset;
use crate::error::Result;
use crate::row::Row;

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// The first row in the order of the partitions, or none if there are no rows. Like
    /// [`take`](Dataset::take), it computes no more partitions than it must.
    ///
    /// Spark's `first` fails when there are no rows; here that is a value, and `?` after `ok_or` makes
    /// an error of it where it is one.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// assert_eq!(cx.range(5..1000).first()?, Some(5));
    /// assert_eq!(cx.range(5..1000).filter(|n| n > 1000).first()?, None);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Whatever stops the job, with its class and place.
    pub fn first(&self) -> Result<Option<T>> {
        Ok(self.take(1)?.pop())
    }
}
