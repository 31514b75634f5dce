//! `read_parquet`: the rows of Parquet files.

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use kiln_planner::Site;
use serde::{Deserialize, Serialize};

use super::files::{Files, Format};
use super::read::{Allowed, Read};
use crate::context::Context;
use crate::dataset::Dataset;
use crate::error::Result;
use crate::row::Row;
use crate::source::{
    Batches, InputFile, Lead, ParquetBatches, Piece, Predicate, Split, Wanted, parquet_columns,
    plan_splits_at,
};

impl Context {
    /// The rows of Parquet files: a path, a folder, a glob or a URL. Columns come from the row type.
    ///
    /// A struct's fields are found by name, those of a tuple by `_1`, `_2`, … or else by position.
    /// Only these columns are read. The fields inside of structs are found by name, too. A column may be of another type where nothing is lost: `i32` as
    /// `i64`, a dictionary as `String`. Timestamps of nanoseconds are read where they are whole microseconds, else it
    /// is an error; an `i64` takes them as they are. INT96 is an instant or a clock's time, as the field is, and
    /// what is finer than a microsecond is cut off, as Spark does. A column that a file lacks is `None` for an `Option`. Every file is
    /// held against the row type before its rows are read. A task reads the row groups whose middle lies in
    /// its part of the file. [`Context::read`] has options: a filter, folders as columns.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("squares").display().to_string();
    /// let cx = kiln::Context::local(1);
    /// cx.range(0..5).map_to::<(u64, u64)>(|n| (n, n * n)).write_parquet(&path)?;
    /// let squares = cx.read_parquet::<(u64, u64)>(&path);
    /// assert_eq!(squares.map(|(n, square)| n + square).collect()?, [0, 2, 6, 12, 20]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Given by the action: config for what cannot be found, auth for what may not be read, data for
    /// a damaged file, a column of another type, or a null in a field that is no `Option`.
    #[track_caller]
    pub fn read_parquet<T: Row>(&self, address: &str) -> Dataset<T, Files<T, Parquet>> {
        self.read().parquet(address)
    }
}

impl Read {
    /// [`Context::read_parquet`] with these options.
    #[track_caller]
    pub fn parquet<T: Row>(self, address: &str) -> Dataset<T, Files<T, Parquet>> {
        let format = Parquet { filter: self.filter.clone() };
        self.dataset("parquet", Allowed { text: false, filter: true }, address, format, Site::caller())
    }
}

/// Parquet files.
#[derive(Clone, Serialize, Deserialize)]
pub struct Parquet {
    pub(super) filter: Option<Predicate>,
}

impl Format for Parquet {
    const LEAD: Lead = Lead::End;
    /// Encoded and compressed: what is sorted, joined or grouped is some times as large.
    const EXPANSION: u64 = 4;
    const HAS_TABLES: bool = true;
    const STATES_COLUMNS: bool = true;

    fn columns(&self, files: &[InputFile]) -> Result<SchemaRef> {
        match files.first() {
            Some(file) => parquet_columns(file),
            None => Ok(Arc::new(Schema::empty())),
        }
    }

    fn plan(&self, files: &[InputFile]) -> Result<Vec<Split>> {
        plan_splits_at(files, |_, places| Ok(places))
    }

    fn open(&self, piece: &Piece, wanted: &Wanted) -> Result<Box<dyn Batches>> {
        Ok(Box::new(ParquetBatches::open(piece, wanted, self.filter.as_ref())?))
    }
}
