//! `read_csv`: the records of CSV files as typed rows.

use kiln_planner::Site;
use serde::{Deserialize, Serialize};

use super::files::{Files, Format};
use super::read::{Allowed, Read};
use crate::context::Context;
use crate::dataset::Dataset;
use crate::error::Result;
use crate::row::Row;
use crate::source::{Batches, CsvBatches, CsvFormat, InputFile, Piece, Split, Wanted};

impl Context {
    /// The records of CSV files: a path, a folder, a glob or a URL. Columns come from the row type.
    ///
    /// The first record of each file names its columns, and a struct's fields are found by these names;
    /// columns without a field are not parsed. The fields of a tuple, or the one value of a plain row, are
    /// taken by position. An empty field is `None`, an empty `String`, or an error for any other type.
    /// Fields may stand in `"quotes"`, with newlines in them. [`Context::read`] has options: the delimiter, the
    /// quote, no header, another text for a null, folders as columns.
    ///
    /// Nothing is rounded, cut or guessed. A decimal stands in digits and one point, with no more of them than
    /// its type holds; a date is written as `2026-11-21`, a timestamp as `2026-11-21T12:30:00.123456` or with
    /// a blank in place of the `T`. A `DateTime<Utc>` has its zone behind it (`Z`, `+02:00`), a `NaiveDateTime` has
    /// none.
    ///
    /// Big files are cut where a record starts, into parts of 16 MiB, of up to 64 MiB where the input is large. A
    /// newline may lie in quotes, so a file that is larger is looked through when the dataset is made, and
    /// one in an object store is not cut at all: one task reads it. Where no field holds a newline,
    /// [`Read::multi_line`] with `false` spares both.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// #[derive(kiln::Row, Clone, Debug, PartialEq)]
    /// struct City {
    ///     name: String,
    ///     people: Option<u64>,
    /// }
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("cities.csv").display().to_string();
    /// # std::fs::write(&path, "people,name\n3677472,Berlin\n,Atlantis\n").unwrap();
    /// let cx = kiln::Context::local(1);
    /// let cities = cx.read_csv::<City>(&path).collect()?;
    /// assert_eq!(cities[0], City { name: "Berlin".into(), people: Some(3677472) });
    /// assert_eq!(cities[1].people, None);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Given by the action: config for what cannot be found or a field that CSV cannot hold, auth for
    /// what may not be read, data, with file, line and column, for a record that does not fit.
    #[track_caller]
    pub fn read_csv<T: Row>(&self, address: &str) -> Dataset<T, Files<T, Csv>> {
        self.read().csv(address)
    }
}

impl Read {
    /// [`Context::read_csv`] with these options.
    #[track_caller]
    pub fn csv<T: Row>(self, address: &str) -> Dataset<T, Files<T, Csv>> {
        let format = csv_format(&self);
        self.dataset("csv", Allowed { text: true, filter: false }, address, Csv(format), Site::caller())
    }
}

/// How CSV files are read with these options.
pub(super) fn csv_format(read: &Read) -> CsvFormat {
    let mut format = CsvFormat::default();
    format.delimiter = read.delimiter.unwrap_or(format.delimiter);
    format.quote = read.quote.unwrap_or(format.quote);
    format.null_value = read.null_value.clone();
    format.header = read.header.unwrap_or(format.header);
    format.multi_line = read.multi_line.unwrap_or(format.multi_line);
    format
}

/// CSV files.
#[derive(Clone, Serialize, Deserialize)]
pub struct Csv(pub(super) CsvFormat);

impl Format for Csv {
    fn plan(&self, files: &[InputFile]) -> Result<Vec<Split>> {
        self.0.plan(files)
    }

    fn open(&self, piece: &Piece, wanted: &Wanted) -> Result<Box<dyn Batches>> {
        Ok(Box::new(CsvBatches::open(piece, wanted, &self.0)?))
    }
}
