//! `write_parquet`: the rows as Parquet files, published in one commit.

use crate::chain::Chain;
use crate::dataset::Dataset;
use crate::error::Result;
use crate::row::Row;

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// Writes the rows as Parquet files below `uri`, one per partition that has rows, and publishes
    /// them in one step: a reader sees all of them or nothing, whatever is killed or run twice. Short
    /// for `write().parquet(uri)`; see [`Write::mode`](crate::Write::mode) for object stores.
    ///
    /// A struct's fields and a tuple's parts become columns. The same rows give the same files,
    /// however many slots and executors there are.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// # let place = tempfile::tempdir().unwrap();
    /// # let output = place.path().join("squares").display().to_string();
    /// let cx = kiln::Context::local(2);
    /// cx.range(0..10).map(|n| (n, n * n)).write_parquet(&output)?;
    /// # assert!(std::path::Path::new(&output).join("part-00000.parquet").is_file());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Config when the output exists; else whatever stops the job, and then nothing is published.
    #[track_caller]
    pub fn write_parquet(&self, uri: &str) -> Result<()> {
        self.write().parquet(uri)
    }

    /// [`write_parquet`](Dataset::write_parquet) with other column names, for rows whose type does
    /// not name them: `counts.write_parquet_as(uri, ["word", "count"])`.
    ///
    /// # Errors
    /// Config when the number of names is not that of the columns; else as `write_parquet`.
    #[track_caller]
    pub fn write_parquet_as<'n>(&self, uri: &str, names: impl IntoIterator<Item = &'n str>) -> Result<()> {
        self.write().names(names).parquet(uri)
    }
}
