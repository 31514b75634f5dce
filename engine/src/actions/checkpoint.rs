//! `checkpoint`: rows that are written once and read from there.

use crate::chain::Chain;
use crate::dataset::Dataset;
use crate::error::Result;
use crate::row::Row;

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// Writes the rows below `uri`, as [`write_parquet`](Dataset::write_parquet) does, and gives a
    /// dataset that reads them from there.
    ///
    /// It knows nothing of how the rows came about: a lost executor costs a read and not a long
    /// computation, and the plan of a loop stays short. [`persist`](Dataset::persist) is faster and
    /// keeps nothing beyond the context. The files stay when the job ends; who wrote them removes them.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// # let folder = tempfile::tempdir().expect("a folder for the example");
    /// # let uri = folder.path().join("ranks").display().to_string();
    /// let cx = kiln::Context::local(2);
    /// let ranks = cx.range(0..10).map(|n| (n % 5, 1.0 / n as f64)).reduce_by_key(|a, b| a + b);
    /// let ranks = ranks.checkpoint(&uri)?;
    /// assert_eq!(ranks.count()?, 5);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Config when there is something at `uri`; else whatever stops the job, and then nothing is there.
    #[track_caller]
    pub fn checkpoint(&self, uri: &str) -> Result<Dataset<T>> {
        self.write_parquet(uri)?;
        Ok(self.origin.cx.read_parquet::<T>(uri).erase())
    }
}
