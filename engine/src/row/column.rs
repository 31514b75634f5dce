//! Column builders and readers: each row type converts its views to Arrow arrays and back.

use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions, StructArray};
use arrow::compute::nullif;
use arrow::datatypes::{DataType, Schema, SchemaRef};

use super::Row;
use crate::error::{Error, Result};

/// Collects the views of one column.
pub trait ColumnBuilder: Default + Send + 'static {
    /// The row type whose views are added.
    type Row: Row;

    /// Adds one row.
    fn push(&mut self, view: <Self::Row as Row>::View<'_>);

    /// Adds a placeholder value for a null.
    fn push_null(&mut self);

    /// Rows added since the last `finish`.
    fn len(&self) -> usize;

    /// Whether no row was added since the last `finish`.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Approximate size in bytes, which decides when a batch is flushed.
    fn size_bytes(&self) -> usize;

    /// Returns the rows added so far as one array and resets the builder.
    fn finish(&mut self) -> ArrayRef;

    /// Returns the rows added so far as the columns of a table and resets the builder.
    fn finish_columns(&mut self) -> Vec<ArrayRef> {
        vec![self.finish()]
    }
}

/// Reads views out of one column.
pub trait ColumnReader: Send + Sync + Sized + 'static {
    /// The row type whose views are read.
    type Row: Row;

    /// Opens an array, which must have the row's type.
    fn open(array: &ArrayRef) -> Result<Self>;

    /// Opens the columns of a table.
    fn open_columns(columns: &[ArrayRef]) -> Result<Self> {
        match columns {
            [only] => Self::open(only).map_err(|e| e.at("column", "value")),
            _ => Err(columns_differ::<Self::Row>(columns.len())),
        }
    }

    /// The row at `index`, which must be in bounds.
    fn get(&self, index: usize) -> <Self::Row as Row>::View<'_>;
}

/// The schema of a table of `T`. Every schema is made here, so that all of them are equal.
pub fn schema<T: Row>() -> SchemaRef {
    Arc::new(Schema::new(T::columns()))
}

/// Returns the rows in `builder` as a batch and resets the builder.
pub fn to_batch<T: Row>(builder: &mut T::Builder) -> Result<RecordBatch> {
    let rows = builder.len();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(schema::<T>(), builder.finish_columns(), &options)?)
}

/// Size of the rows of `batch`. Other data in the same buffers does not count, so that rows have the
/// same size whether they come from a file or from another process.
pub fn bytes_of(batch: &RecordBatch) -> usize {
    batch.columns().iter().map(bytes_of_column).sum()
}

/// Size of one column. Only those items of a list column count that belong to its rows.
fn bytes_of_column(column: &ArrayRef) -> usize {
    let nulls = if column.nulls().is_some() { column.len().div_ceil(8) } else { 0 };
    let items =
        |values: &ArrayRef, start: usize, end: usize| bytes_of_column(&values.slice(start, end - start));
    let rows = column.len();
    match column.data_type() {
        DataType::Struct(_) => {
            nulls + column.as_struct().columns().iter().map(bytes_of_column).sum::<usize>()
        }
        DataType::List(_) => {
            let (values, offsets) = (column.as_list::<i32>().values(), column.as_list::<i32>().offsets());
            nulls + size_of_val(&offsets[..]) + items(values, offsets[0] as usize, offsets[rows] as usize)
        }
        DataType::LargeList(_) => {
            let (values, offsets) = (column.as_list::<i64>().values(), column.as_list::<i64>().offsets());
            nulls + size_of_val(&offsets[..]) + items(values, offsets[0] as usize, offsets[rows] as usize)
        }
        DataType::Map(..) => {
            let (entries, offsets) = (column.as_map().entries(), column.as_map().offsets());
            let bytes = |values| items(values, offsets[0] as usize, offsets[rows] as usize);
            nulls + size_of_val(&offsets[..]) + entries.columns().iter().map(bytes).sum::<usize>()
        }
        DataType::Utf8View => nulls + bytes_of_views(column.as_string_view().views()),
        DataType::BinaryView => nulls + bytes_of_views(column.as_binary_view().views()),
        _ => column.to_data().get_slice_memory_size().unwrap_or_else(|_| column.get_array_memory_size()),
    }
}

/// Each Arrow string view starts with the length of its value.
fn bytes_of_views(views: &[u128]) -> usize {
    views.iter().map(|view| size_of::<u128>() + *view as u32 as usize).sum()
}

/// Size in bytes of one row as columns.
pub fn bytes_of_view<T: Row>(row: T::View<'_>) -> usize {
    let mut builder = T::Builder::default();
    builder.push(row);
    builder.size_bytes()
}

/// Views over the rows of one batch.
pub struct RowReader<T: Row> {
    reader: T::Reader,
    rows: usize,
    _row: PhantomData<fn() -> T>,
}

impl<T: Row> RowReader<T> {
    /// Opens a batch whose columns are those of `T`.
    ///
    /// # Errors
    /// Fails with a data error when the columns differ or hold values that `T` cannot represent.
    pub fn open(batch: &RecordBatch) -> Result<Self> {
        refuse_nulls::<T>(batch)?;
        let reader = T::Reader::open_columns(batch.columns())?;
        Ok(RowReader { reader, rows: batch.num_rows(), _row: PhantomData })
    }

    /// Rows in the batch.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether the batch has no rows.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The row at `index`.
    #[inline]
    pub fn get(&self, index: usize) -> T::View<'_> {
        self.reader.get(index)
    }

    /// All rows in order.
    pub fn iter(&self) -> impl Iterator<Item = T::View<'_>> {
        (0..self.rows).map(|i| self.get(i))
    }
}

/// Without this check, a null in a non-nullable column would be read as its placeholder value.
fn refuse_nulls<T: Row>(batch: &RecordBatch) -> Result<()> {
    if batch.columns().iter().all(|column| column.null_count() == 0) {
        return Ok(());
    }
    let columns = T::columns();
    let wrong = columns.iter().zip(batch.columns()).find(|(f, c)| !f.is_nullable() && c.null_count() > 0);
    wrong.map_or(Ok(()), |(field, _)| {
        Err(Error::data("a column has a null where none is expected")
            .at("column", field.name())
            .help("a field whose values may be absent is an `Option`"))
    })
}

/// The child columns of a struct column, with nulls wherever the struct is null. The children hold a
/// placeholder there, or whatever the writer of a file left, which readers must not take for a value.
pub(super) fn inner_columns(column: &StructArray) -> Result<Vec<ArrayRef>> {
    let Some(nulls) = column.nulls().filter(|nulls| nulls.null_count() > 0) else {
        return Ok(column.columns().to_vec());
    };
    let is_absent = BooleanArray::new(!nulls.inner(), None);
    column.columns().iter().map(|inner| Ok(nullif(inner, &is_absent)?)).collect()
}

/// The array downcast to `A`, or an error that names both types.
pub(super) fn typed<A: Array + Clone + 'static>(array: &ArrayRef, expected: &DataType) -> Result<A> {
    array.as_any().downcast_ref::<A>().cloned().ok_or_else(|| {
        Error::data(format!("a column has the type {}, expected {expected}", array.data_type()))
    })
}

pub(super) fn columns_differ<T: Row>(found: usize) -> Error {
    Error::data(format!("a batch has {found} columns, expected {}", T::columns().len()))
}
