//! `write_text`: the rows as text files, one row a line.

use super::Write;
use crate::chain::Chain;
use crate::dataset::Dataset;
use crate::error::Result;
use crate::publish::Format;

impl<C: Chain<Out = String>> Dataset<String, C> {
    /// Writes the rows as text files below `uri`, one row a line, and publishes them as
    /// [`write_parquet`](Dataset::write_parquet) does. Short for `write().text(uri)`.
    ///
    /// A row is written as it is: one with `\n` in it makes several lines, and one that ends in `\r` is read again
    /// without it, as `\r\n` is a line end.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// # let place = tempfile::tempdir().unwrap();
    /// # let output = place.path().join("words").display().to_string();
    /// let cx = kiln::Context::local(1);
    /// cx.parallelize(["to".to_owned(), "be".to_owned()]).write_text(&output)?;
    /// assert_eq!(cx.read_text(&output).map_to::<String>(|line| line).collect()?, ["to", "be"]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As `write_parquet`.
    #[track_caller]
    pub fn write_text(&self, uri: &str) -> Result<()> {
        self.write().text(uri)
    }
}

impl<C: Chain<Out = String>> Write<'_, Dataset<String, C>> {
    /// Writes text files below `uri`: one row a line.
    ///
    /// # Errors
    /// As [`parquet`](Write::parquet).
    pub fn text(self, uri: &str) -> Result<()> {
        self.run(uri, Format::Text)
    }
}
