//! `read_json`: the lines of JSON files as typed rows.

use kiln_planner::Site;
use serde::{Deserialize, Serialize};

use super::files::{Files, Format};
use super::read::{Allowed, Read};
use crate::context::Context;
use crate::dataset::Dataset;
use crate::error::Result;
use crate::row::Row;
use crate::source::{Batches, InputFile, JsonBatches, Piece, Split, Wanted, plan_splits_at};

impl Context {
    /// The objects of JSON files, one a line: a path, a folder, a glob or a URL. Columns come from the
    /// row type.
    ///
    /// Fields are found by name; a tuple's are called `_1`, `_2`, …, a plain row's is called `value`.
    /// What has no field is not looked at. A field that is missing or null is `None`, or an error for a field
    /// that is no `Option`. Empty lines are no objects. Files ending in `.gz` and `.zst` are decompressed.
    ///
    /// Nothing is rounded, cut or guessed, floats apart. Integers and decimals may be numbers or texts, a decimal
    /// without an exponent. Dates and timestamps are texts, written as [`Context::read_csv`] reads
    /// them: a `DateTime<Utc>` with its zone, a `NaiveDateTime` without. Bytes are hexadecimal digits.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("words.json").display().to_string();
    /// # std::fs::write(&path, "{\"_2\": 3, \"_1\": \"a\"}\n{\"_1\": \"b\"}\n").unwrap();
    /// let cx = kiln::Context::local(1);
    /// // {"_2": 3, "_1": "a"}
    /// // {"_1": "b"}
    /// let rows = cx.read_json::<(String, Option<u32>)>(&path).collect()?;
    /// assert_eq!(rows, [("a".to_owned(), Some(3)), ("b".to_owned(), None)]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Given by the action: config for what cannot be found, auth for what may not be read, data, with
    /// file and line, for an object that does not fit.
    #[track_caller]
    pub fn read_json<T: Row>(&self, address: &str) -> Dataset<T, Files<T, Json>> {
        self.read().json(address)
    }
}

impl Read {
    /// [`Context::read_json`] with these options.
    #[track_caller]
    pub fn json<T: Row>(self, address: &str) -> Dataset<T, Files<T, Json>> {
        self.dataset("json", Allowed { text: false, filter: false }, address, Json, Site::caller())
    }
}

/// JSON files, one object a line.
#[derive(Clone, Serialize, Deserialize)]
pub struct Json;

impl Format for Json {
    fn plan(&self, files: &[InputFile]) -> Result<Vec<Split>> {
        plan_splits_at(files, |_, places| Ok(places))
    }

    fn open(&self, piece: &Piece, wanted: &Wanted) -> Result<Box<dyn Batches>> {
        Ok(Box::new(JsonBatches::open(piece, wanted)?))
    }
}
