//! Holds a job to its word that rows come sorted.
//!
//! Batches pass, in order; the first row that is less than the one before it is an error. Readers
//! skip by what a file says of its order, so that a wrong word there would be a wrong result of
//! theirs.

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::Schema;
use arrow::row::{OwnedRow, RowConverter, SortField};

use super::layout::Layout;
use crate::error::{Error, Result};

/// What is known of the rows so far.
pub struct Sorted {
    columns: Vec<usize>,
    converter: RowConverter,
    last: Option<OwnedRow>,
}

impl Sorted {
    /// A check by the columns that `layout` names, if it names any.
    pub fn new(layout: &Layout, schema: &Schema) -> Result<Option<Sorted>> {
        if layout.sorted_by.is_empty() {
            return Ok(None);
        }
        let columns = layout.sorted_by.iter().map(|name| schema.index_of(name));
        let columns = columns.collect::<Result<Vec<usize>, _>>()?;
        let fields = columns.iter().map(|at| SortField::new(schema.field(*at).data_type().clone()));
        let converter = RowConverter::new(fields.collect())?;
        Ok(Some(Sorted { columns, converter, last: None }))
    }

    /// Checks the next rows.
    ///
    /// # Errors
    /// Data when a row is less than the one before it.
    pub fn check(&mut self, batch: &RecordBatch) -> Result<()> {
        let columns: Vec<ArrayRef> = self.columns.iter().map(|at| batch.column(*at).clone()).collect();
        let rows = self.converter.convert_columns(&columns)?;
        for (at, row) in rows.iter().enumerate() {
            let is_less = if at == 0 {
                self.last.as_ref().is_some_and(|last| row < last.row())
            } else {
                row < rows.row(at - 1)
            };
            if is_less {
                return Err(self.unsorted(batch));
            }
        }
        if rows.num_rows() > 0 {
            self.last = Some(rows.row(rows.num_rows() - 1).owned());
        }
        Ok(())
    }

    fn unsorted(&self, batch: &RecordBatch) -> Error {
        let schema = batch.schema_ref();
        let names: Vec<&str> = self.columns.iter().map(|at| schema.field(*at).name().as_str()).collect();
        Error::data("the rows of a file are not sorted as `sorted_by` says")
            .at("column", names.join(", "))
            .help("sort before the write, for example by `sort_by_key`, or leave `sorted_by` out")
    }
}
