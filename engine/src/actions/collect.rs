//! `collect`: all rows, to the driver.

use crate::chain::Chain;
use crate::dataset::Dataset;
use crate::error::Result;
use crate::row::{Row, ipc};

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// All rows, in the order of their partitions. They must fit the driver's memory.
    ///
    /// # Errors
    /// Whatever stops the job, with its class and place.
    pub fn collect(&self) -> Result<Vec<T>> {
        self.origin.check()?;
        ipc::rows_of(&self.origin.cx.act(&self.to_plan())?.batches)
    }
}
