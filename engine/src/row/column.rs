//! Views in, Arrow arrays out, and back: the two halves that every row type brings.

use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions, StructArray};
use arrow::compute::nullif;
use arrow::datatypes::{DataType, Schema, SchemaRef};

use super::Row;
use crate::error::{Error, Result};

/// Collects the views of one column.
pub trait ColumnBuilder: Default + Send + 'static {
    /// The row type it takes.
    type Row: Row;

    /// Adds one row.
    fn push(&mut self, view: <Self::Row as Row>::View<'_>);

    /// Adds a placeholder that lies beneath a null.
    fn push_null(&mut self);

    /// Rows added since the last `finish`.
    fn len(&self) -> usize;

    /// Whether no row was added since the last `finish`.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes held, roughly: what a flush rule needs to know.
    fn size_bytes(&self) -> usize;

    /// The rows so far as one array; the builder starts again.
    fn finish(&mut self) -> ArrayRef;

    /// The rows so far as the columns of a table.
    fn finish_columns(&mut self) -> Vec<ArrayRef> {
        vec![self.finish()]
    }
}

/// Reads views out of one column.
pub trait ColumnReader: Send + Sync + Sized + 'static {
    /// The row type it gives.
    type Row: Row;

    /// Takes an array; its type must be the row's.
    fn open(array: &ArrayRef) -> Result<Self>;

    /// Takes the columns of a table.
    fn open_columns(columns: &[ArrayRef]) -> Result<Self> {
        match columns {
            [only] => Self::open(only).map_err(|e| e.at("column", "value")),
            _ => Err(columns_differ::<Self::Row>(columns.len())),
        }
    }

    /// The row at `index`, which must be in bounds.
    fn get(&self, index: usize) -> <Self::Row as Row>::View<'_>;
}

/// The schema of a table of `T`: the one place that makes it, so that it is equal everywhere.
pub fn schema<T: Row>() -> SchemaRef {
    Arc::new(Schema::new(T::columns()))
}

/// The rows collected in `builder` as a batch; the builder starts again.
pub fn to_batch<T: Row>(builder: &mut T::Builder) -> Result<RecordBatch> {
    let rows = builder.len();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(schema::<T>(), builder.finish_columns(), &options)?)
}

/// Bytes of the rows of `batch`, wherever they lie: what else is in the memory that they are a part of does not
/// count, so that rows are as large when they come from a file or from another process.
pub fn bytes_of(batch: &RecordBatch) -> usize {
    batch.columns().iter().map(bytes_of_column).sum()
}

/// The same for one column. Of the items of lists only those count that the rows have.
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

/// Each view begins with the length of its value.
fn bytes_of_views(views: &[u128]) -> usize {
    views.iter().map(|view| size_of::<u128>() + *view as u32 as usize).sum()
}

/// Bytes of one row as columns.
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
    /// Of class data when they are not, or hold what `T` cannot.
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

/// A null in a column that has none would be read as whatever lies beneath it.
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

/// The columns inside a struct column, null where the struct is null. What lies there is a placeholder, or whatever
/// the writer of a file left; to a reader it must not look like a value.
pub(super) fn inner_columns(column: &StructArray) -> Result<Vec<ArrayRef>> {
    let Some(nulls) = column.nulls().filter(|nulls| nulls.null_count() > 0) else {
        return Ok(column.columns().to_vec());
    };
    let is_absent = BooleanArray::new(!nulls.inner(), None);
    column.columns().iter().map(|inner| Ok(nullif(inner, &is_absent)?)).collect()
}

/// The array as `A`, or an error that names both types.
pub(super) fn typed<A: Array + Clone + 'static>(array: &ArrayRef, expected: &DataType) -> Result<A> {
    array.as_any().downcast_ref::<A>().cloned().ok_or_else(|| {
        Error::data(format!("a column has the type {}, expected {expected}", array.data_type()))
    })
}

pub(super) fn columns_differ<T: Row>(found: usize) -> Error {
    Error::data(format!("a batch has {found} columns, expected {}", T::columns().len()))
}
