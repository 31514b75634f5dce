//! Files without a row type: their columns are those of the files, and go to a sink as they are.

use arrow::datatypes::Field;

use super::files::{self, FileScan, Format, Own};
use super::read::{Allowed, Read};
use super::read_csv::{Csv, csv_format};
use super::read_json::Json;
use super::read_parquet::Parquet;
use crate::connect::Scan;

use crate::publish::delta::AsOf;

impl Read {
    /// The columns of files that are read without a row type, by `copy_csv` and the like: all of them for CSV and JSON,
    /// whose files do not state types, and those of folders for Parquet with [`hive_partitions`](Read::hive_partitions).
    pub fn types(mut self, columns: impl IntoIterator<Item = Field>) -> Read {
        self.types = columns.into_iter().collect();
        self
    }

    /// Parquet files as a source for [`Context::copy`](crate::Context::copy): with the columns of the first file, which all
    /// others must have; of a folder with a Delta log the table, with its columns.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// # let place = tempfile::tempdir().unwrap();
    /// # let [from, to] = ["a", "b"].map(|name| place.path().join(name).display().to_string());
    /// let cx = kiln::Context::local(1);
    /// cx.range(0..5).map(|n| (n, n * n)).write().names(["n", "square"]).parquet(&from)?;
    /// cx.copy(cx.read().files_of_parquet(&from)).write().csv(&to)?;
    /// assert_eq!(cx.read_csv::<(u64, u64)>(&to).count()?, 5);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Given by the copy: config for options that do not fit, data for a file with other columns.
    pub fn files_of_parquet(self, address: &str) -> impl Scan + use<> {
        let format = Parquet { filter: self.filter.clone() };
        self.untyped("parquet", Allowed { text: false, filter: true }, address, format)
    }

    /// A version of a Delta table as a source for [`Context::copy`](crate::Context::copy), with the table's columns.
    ///
    /// # Errors
    /// As [`files_of_parquet`](Read::files_of_parquet).
    pub fn files_of_delta(mut self, address: &str) -> impl Scan + use<> {
        self.choice.table.get_or_insert(AsOf::Latest);
        let format = Parquet { filter: self.filter.clone() };
        self.untyped("delta", Allowed { text: false, filter: true }, address, format)
    }

    /// CSV files as a source for [`Context::copy`](crate::Context::copy), with the columns that [`types`](Read::types) names.
    ///
    /// # Errors
    /// As [`files_of_parquet`](Read::files_of_parquet).
    pub fn files_of_csv(self, address: &str) -> impl Scan + use<> {
        let format = Csv(csv_format(&self));
        self.untyped("csv", Allowed { text: true, filter: false }, address, format)
    }

    /// Files of JSON lines as a source for [`Context::copy`](crate::Context::copy), with the columns that
    /// [`types`](Read::types) names.
    ///
    /// # Errors
    /// As [`files_of_parquet`](Read::files_of_parquet).
    pub fn files_of_json(self, address: &str) -> impl Scan + use<> {
        self.untyped("json", Allowed { text: false, filter: false }, address, Json)
    }

    fn untyped<F: Format>(self, method: &str, allowed: Allowed, address: &str, format: F) -> FileScan<F> {
        let mut label = format!("read_{method} {address}");
        if let Some(filter) = &self.filter {
            label = format!("{label} where {filter}");
        }
        let own =
            Own { error: self.check(method, allowed).err(), types: self.types.clone(), filter: self.filter };
        files::untyped(&self.cx, address, self.choice, format, label, own)
    }
}
