//! A row type with the columns of any file: the process sets the columns before it reads.
//!
//! Kiln's row types are known when a job is compiled, but the columns of a corpus are not. Readers ask
//! a row type for its columns whenever they open a file, so a row type with changing columns reads any
//! file through the public API. Each decoded array is validated in full, because a reader that returns
//! an invalid one has a bug.

use std::sync::{Arc, RwLock};

use arrow::array::{Array, ArrayRef, new_null_array};
use arrow::datatypes::{DataType, Field, Fields};
use kiln::row::{ColumnBuilder, ColumnReader, IntoRow, Optional, Row};
use kiln::{Error, Result};

static COLUMNS: RwLock<Vec<Field>> = RwLock::new(Vec::new());

/// Sets the columns of all rows from now on. All of them are nullable.
pub(crate) fn set_columns(columns: Vec<Field>) {
    *COLUMNS.write().unwrap() = columns.into_iter().map(|field| field.with_nullable(true)).collect();
}

/// A row without contents, which were validated and dropped.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AnyRow;

impl IntoRow for AnyRow {
    type Row = AnyRow;
    fn as_view(&self) -> AnyRow {
        AnyRow
    }
}

impl Row for AnyRow {
    type View<'a> = AnyRow;
    type Builder = Counter;
    type Reader = Checked;
    type Nullability = Optional;
    fn own(_: AnyRow) -> AnyRow {
        AnyRow
    }
    fn view(&self) -> AnyRow {
        AnyRow
    }
    fn narrow<'short, 'long: 'short>(_: AnyRow) -> AnyRow {
        AnyRow
    }
    fn data_type() -> DataType {
        DataType::Struct(Fields::from(AnyRow::columns()))
    }
    fn columns() -> Vec<Field> {
        COLUMNS.read().unwrap().clone()
    }
}

/// A reader that validates its columns.
pub(crate) struct Checked;

impl ColumnReader for Checked {
    type Row = AnyRow;

    fn open(array: &ArrayRef) -> Result<Checked> {
        Checked::open_columns(std::slice::from_ref(array))
    }

    fn open_columns(columns: &[ArrayRef]) -> Result<Checked> {
        for column in columns {
            let checked = column.to_data().validate_full();
            checked.map_err(|e| Error::bug("an array that was read is invalid").because(e))?;
        }
        Ok(Checked)
    }

    fn get(&self, _: usize) -> AnyRow {
        AnyRow
    }
}

/// Counts rows.
#[derive(Default)]
pub(crate) struct Counter(usize);

impl ColumnBuilder for Counter {
    type Row = AnyRow;
    fn push(&mut self, _: AnyRow) {
        self.0 += 1;
    }
    fn push_null(&mut self) {
        self.0 += 1;
    }
    fn len(&self) -> usize {
        self.0
    }
    fn size_bytes(&self) -> usize {
        0
    }
    fn finish(&mut self) -> ArrayRef {
        Arc::clone(&new_null_array(&AnyRow::data_type(), std::mem::take(&mut self.0)))
    }
}
