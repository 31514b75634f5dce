//! `read_arrow`: the rows of Arrow IPC files.

use kiln_planner::Site;
use serde::{Deserialize, Serialize};

use super::files::{Files, Format};
use super::read::{Allowed, Read};
use crate::context::Context;
use crate::dataset::Dataset;
use crate::error::Result;
use crate::row::Row;
use crate::source::{ArrowBatches, Batches, InputFile, Lead, Piece, Split, Wanted, plan_splits_at};

impl Context {
    /// The rows of Arrow IPC files, in the file or the stream format: a path, a folder, a glob or a URL.
    /// Columns come from the row type, as those of [`Context::read_parquet`] do.
    ///
    /// Batches may be compressed with LZ4 or Zstandard. Big files are cut between their batches; a stream is
    /// never cut.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// use arrow::array::{Int64Array, RecordBatch};
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("numbers.arrow").display().to_string();
    /// let numbers = std::sync::Arc::new(Int64Array::from(vec![1, 2]));
    /// let batch = RecordBatch::try_from_iter([("value", numbers as _)])?;
    /// let mut file = arrow::ipc::writer::FileWriter::try_new(
    ///     std::fs::File::create(&path).unwrap(), &batch.schema())?;
    /// file.write(&batch)?;
    /// file.finish()?;
    /// assert_eq!(kiln::Context::local(1).read_arrow::<i64>(&path).collect()?, [1, 2]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Given by the action: config for what cannot be found, auth for what may not be read, data for
    /// a damaged file, a column of another type, or a null in a field that is no `Option`.
    #[track_caller]
    pub fn read_arrow<T: Row>(&self, address: &str) -> Dataset<T, Files<T, Arrow>> {
        self.read().arrow(address)
    }
}

impl Read {
    /// [`Context::read_arrow`] with these options.
    #[track_caller]
    pub fn arrow<T: Row>(self, address: &str) -> Dataset<T, Files<T, Arrow>> {
        self.dataset("arrow", Allowed { text: false, filter: false }, address, Arrow, Site::caller())
    }
}

/// Arrow IPC files.
#[derive(Clone, Serialize, Deserialize)]
pub struct Arrow;

impl Format for Arrow {
    const LEAD: Lead = Lead::End;
    fn plan(&self, files: &[InputFile]) -> Result<Vec<Split>> {
        plan_splits_at(files, |_, places| Ok(places))
    }

    fn open(&self, piece: &Piece, wanted: &Wanted) -> Result<Box<dyn Batches>> {
        Ok(Box::new(ArrowBatches::open(piece, wanted)?))
    }
}
