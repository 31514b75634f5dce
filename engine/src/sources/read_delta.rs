//! `read().delta`: the rows of a version of a Delta table.

use chrono::{DateTime, Utc};
use kiln_planner::Site;

use super::files::Files;
use super::read::{Allowed, Read};
use super::read_parquet::Parquet;
use crate::dataset::Dataset;
use crate::error::Error;
use crate::publish::delta::AsOf;
use crate::row::Row;

impl Read {
    /// The rows of a Delta table, in its latest version unless [`Read::version`] or [`Read::as_of`] names another.
    ///
    /// The version is chosen when the dataset is made: all actions on it see the same files, also when another job
    /// writes to the table meanwhile. Columns come from the row type, those of partitions from the log. Delta has no
    /// unsigned integers: a field of such a type is read from a signed column, and a negative value is an error of
    /// class data. [`Read::parquet`] reads the latest version of a folder that has a Delta log, too; a pattern such as
    /// `table/*.parquet` knows nothing of the log, and also reads files that have left the table.
    ///
    /// # Errors
    /// Given by the action, as for [`Context::read_parquet`](crate::Context::read_parquet); of class config, with the
    /// reason `unsupported_table`, for a table with deletion vectors, with renamed columns (column mapping) or with
    /// another feature that Kiln does not know; of class data for a damaged log.
    #[track_caller]
    pub fn delta<T: Row>(mut self, address: &str) -> Dataset<T, Files<T, Parquet>> {
        self.choice.table.get_or_insert(AsOf::Latest);
        let format = Parquet { filter: self.filter.clone() };
        self.dataset("delta", Allowed { text: false, filter: true }, address, format, Site::caller())
    }

    /// Delta: the version of this number.
    pub fn version(self, version: u64) -> Read {
        self.at_version(AsOf::Version(version))
    }

    /// Delta: the last version that was committed at `time` or before, by the time that its commit states.
    pub fn as_of(self, time: DateTime<Utc>) -> Read {
        self.at_version(AsOf::Time(time))
    }

    fn at_version(mut self, as_of: AsOf) -> Read {
        if self.choice.table.replace(as_of).is_some() {
            self.refuse(Error::config("the version of a table is named twice"));
        }
        self
    }
}
