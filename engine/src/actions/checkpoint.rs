//! `checkpoint`: rows that are written once and read from there.

use crate::chain::Chain;
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::publish::Mode;
use crate::row::Row;
use crate::source::Location;

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// Writes the rows below `uri`, as [`write_parquet`](Dataset::write_parquet) does, and gives a
    /// dataset that reads them from there.
    ///
    /// It knows nothing of how the rows came about: a lost executor costs a read and not a long
    /// computation, and the plan of a loop stays short. [`persist`](Dataset::persist) is faster and
    /// keeps nothing beyond the context.
    ///
    /// What lies at `uri` is replaced, so that a job that runs every night may name one place; within a
    /// run each checkpoint has a place of its own. The files stay when the job ends, and who wrote them
    /// removes them; they are no output of the job and do not stand in its result.
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
    /// Config when this run has made a checkpoint at `uri` before, or a file lies there; else whatever
    /// stops the job, and then what was there stays.
    #[track_caller]
    pub fn checkpoint(&self, uri: &str) -> Result<Dataset<T>> {
        let run = self.origin.cx.job_run();
        // By the place and not by its text: `ranks` and `./ranks/` are one.
        let place = || Location::output(uri).map(|location| location.uri());
        if run.has_checkpoint(&place()?) {
            // Rows that are still to be read from there would become other rows.
            let error = Error::config("this run has made a checkpoint here before").at("checkpoint", uri);
            return Err(error.help("give each checkpoint of a job a place of its own"));
        }
        self.write().plain().mode(Mode::Overwrite).unlisted().parquet(uri)?;
        run.add_checkpoint(&place()?);
        Ok(self.origin.cx.read_parquet::<T>(uri).erase())
    }
}
