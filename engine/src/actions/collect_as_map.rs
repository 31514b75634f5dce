//! `collect_as_map`: pairs as a map, to the driver.

use std::collections::HashMap;
use std::hash::Hash;

use crate::chain::Chain;
use crate::dataset::Dataset;
use crate::error::Result;
use crate::row::Row;

impl<K: Row + Eq + Hash, V: Row, C: Chain<Out = (K, V)>> Dataset<(K, V), C> {
    /// All pairs as a map. Of pairs with one key the last stays, in the order of the partitions. They
    /// must fit the driver's memory.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let squares = cx.range(0..10).map(|n| (n, n * n)).collect_as_map()?;
    /// assert_eq!((squares.len(), squares[&3]), (10, 9));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Whatever stops the job, with its class and place.
    pub fn collect_as_map(&self) -> Result<HashMap<K, V>> {
        Ok(self.collect()?.into_iter().collect())
    }
}
