//! Converts a column of a file to the type in the row type, without loss.
//!
//! The types must satisfy [`fits`](super::fits::fits). The result has exactly the type of the field;
//! otherwise the error names the value and its row. A single value may not fit although its type does: a text
//! may not be a number, a timestamp in nanoseconds may be finer than the row's. Nested columns are converted
//! item by item here, because `arrow` would round inside them and would not report where a null is. Nothing
//! becomes null that was not null before.

use std::sync::Arc;

use arrow::array::types::TimestampNanosecondType;
use arrow::array::{
    Array, ArrayRef, AsArray, ListArray, MapArray, StructArray, TimestampMicrosecondArray, new_null_array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Fields, TimeUnit};
use arrow::util::display::array_value_to_string;

use super::fits::holds_dictionary;
use super::nulls::{NullAt, find_null_in, row_of};
use super::spelled::{is_spelled, read_spelled};
use crate::error::Error;

/// A value that cannot be converted is an error, never a null.
const STRICT: CastOptions<'_> =
    CastOptions { safe: false, format_options: arrow::util::display::FormatOptions::new() };
const NANOS_PER_MICRO: i64 = 1_000;

/// A value that does not fit the field's type.
pub(super) struct Unfit {
    pub(super) error: Error,
    /// The column, with the fields on the path to it: `place.city`.
    pub(super) path: String,
    /// The row in the batch, if it is known.
    pub(super) row: Option<usize>,
}

/// Converts `column` to the type of `field`.
pub(super) fn convert(column: &ArrayRef, field: &Field) -> Result<ArrayRef, Unfit> {
    convert_in(column, field, None)
}

/// Converts a nested column; `hidden` marks the rows in which a struct around it is null.
fn convert_in(column: &ArrayRef, field: &Field, hidden: Option<&NullBuffer>) -> Result<ArrayRef, Unfit> {
    use DataType::*;
    let unfit = |row, error| Unfit { error, path: field.name().clone(), row };
    match (column.data_type(), field.data_type()) {
        (from, to) if from == to && !holds_dictionary(to) => Ok(Arc::clone(column)),
        (Utf8, to) if is_spelled(to) => {
            read_spelled(column.as_string(), to).map_err(|(row, error)| unfit(Some(row), error))
        }
        (Timestamp(TimeUnit::Nanosecond, _), Timestamp(TimeUnit::Microsecond, _)) => {
            whole_micros(column, field.data_type(), hidden).map_err(|(row, error)| unfit(Some(row), error))
        }
        (Dictionary(..), to @ Dictionary(..)) if column.as_any_dictionary().values().null_count() == 0 => {
            cast(column, to).map_err(|error| unfit(None, error))
        }
        // Encoded values are decoded first, so that the same rules apply to them. The values of a dictionary
        // may contain a null, which the readers of rows do not expect.
        (Dictionary(_, values), _) => {
            let plain = cast(column, values).map_err(|error| unfit(None, error))?;
            convert_in(&plain, field, hidden)
        }
        (RunEndEncoded(_, values), _) => {
            let plain = cast(column, values.data_type()).map_err(|error| unfit(None, error))?;
            convert_in(&plain, field, hidden)
        }
        (from, to @ Dictionary(_, values)) if *from != **values => {
            let plain = cast(column, values).map_err(|error| unfit(None, error))?;
            cast(&plain, to).map_err(|error| unfit(None, error))
        }
        (List(_), List(item)) => list(column, item).map_err(|e| e.inside(field)),
        (LargeList(item) | FixedSizeList(item, _) | ListView(item) | LargeListView(item), List(_)) => {
            let plain = cast(column, &List(Arc::clone(item))).map_err(|error| unfit(None, error))?;
            convert_in(&plain, field, hidden)
        }
        (Struct(_), Struct(fields)) => {
            let hidden = NullBuffer::union(hidden, column.nulls());
            structure(column.as_struct(), fields, hidden)
                .map(|c| Arc::new(c) as _)
                .map_err(|e| e.inside(field))
        }
        (Map(..), Map(entry, is_sorted)) => map(column, entry, *is_sorted).map_err(|e| e.inside(field)),
        (_, to) => cast(column, to).map_err(|error| unfit(None, error)),
    }
}

impl Unfit {
    /// Replaces the row of an item by the row of its list.
    fn of_lists(self, offsets: &[i32]) -> Unfit {
        Unfit { row: self.row.map(|item| row_of(offsets, item)), ..self }
    }

    /// Adds the column around this one to the path.
    fn inside(self, field: &Field) -> Unfit {
        Unfit { path: format!("{}.{}", field.name(), self.path), ..self }
    }
}

/// The error for a null where a value is required.
pub(super) fn missing_value(field: &Field) -> Error {
    Error::data(format!("a value is missing (null), expected {}", field.data_type()))
        .help("a field that may be empty is an `Option`")
}

fn cast(column: &ArrayRef, to: &DataType) -> Result<ArrayRef, Error> {
    cast_with_options(column, to, &STRICT)
        .map_err(|e| Error::data(format!("a value cannot be read as {to}")).because(e))
}

/// Converts nanoseconds to microseconds, if each is a whole microsecond.
fn whole_micros(
    column: &ArrayRef,
    to: &DataType,
    hidden: Option<&NullBuffer>,
) -> Result<ArrayRef, (usize, Error)> {
    let nanos = column.as_primitive::<TimestampNanosecondType>();
    let is_seen = NullBuffer::union(hidden, column.nulls());
    let is_seen = |at| is_seen.as_ref().is_none_or(|is_seen| is_seen.is_valid(at));
    let is_finer = |at: &usize| nanos.value(*at) % NANOS_PER_MICRO != 0 && is_seen(*at);
    if let Some(at) = (0..nanos.len()).find(is_finer) {
        let value = array_value_to_string(column, at).unwrap_or_else(|_| nanos.value(at).to_string());
        let error = Error::data(format!("`{value}` is no {to}: it is finer than a microsecond"));
        return Err((
            at,
            error.help("read the column as `i64`, which gives its nanoseconds, and convert it in `map`"),
        ));
    }
    let micros: TimestampMicrosecondArray = nanos.unary(|nanos| nanos / NANOS_PER_MICRO);
    Ok(Arc::new(micros.with_data_type(to.clone())))
}

fn list(column: &ArrayRef, item: &Arc<Field>) -> Result<ArrayRef, Unfit> {
    let list = column.as_list::<i32>();
    let (first, offsets) = from_zero(list.offsets());
    let items = checked(&list.values().slice(first, count(&offsets)), item, None);
    let items = items.map_err(|e| e.of_lists(&offsets))?;
    let lists = ListArray::try_new(Arc::clone(item), offsets, items, list.nulls().cloned());
    lists.map(|lists| Arc::new(lists) as _).map_err(|e| not_built(item, e))
}

fn map(column: &ArrayRef, entry: &Arc<Field>, is_sorted: bool) -> Result<ArrayRef, Unfit> {
    let map = column.as_map();
    let (first, offsets) = from_zero(map.offsets());
    let entries = map.entries().slice(first, count(&offsets));
    let DataType::Struct(fields) = entry.data_type() else { return Ok(Arc::clone(column)) };
    // Keys and values are identified by position; writers give them any names.
    let columns = fields.iter().zip(entries.columns()).map(|(field, column)| checked(column, field, None));
    let columns = columns.collect::<Result<Vec<_>, _>>().map_err(|e| e.of_lists(&offsets))?;
    let entries = StructArray::try_new_with_length(fields.clone(), columns, None, entries.len());
    let entries = entries.map_err(|e| not_built(entry, e))?;
    let maps = MapArray::try_new(Arc::clone(entry), offsets, entries, map.nulls().cloned(), is_sorted);
    maps.map(|maps| Arc::new(maps) as _).map_err(|e| not_built(entry, e))
}

/// The number of items in all lists.
fn count(offsets: &[i32]) -> usize {
    offsets.last().map_or(0, |last| *last as usize)
}

/// The first offset, and all offsets relative to it: only the items of this slice of a column are converted.
fn from_zero(offsets: &OffsetBuffer<i32>) -> (usize, OffsetBuffer<i32>) {
    let first = offsets[0];
    (first as usize, OffsetBuffer::new(offsets.iter().map(|offset| offset - first).collect()))
}

/// Fields are found by name. Those that the file lacks are nullable, or the type would not have been
/// accepted.
fn structure(column: &StructArray, fields: &Fields, nulls: Option<NullBuffer>) -> Result<StructArray, Unfit> {
    let inner = |field: &Arc<Field>| match column.column_by_name(field.name()) {
        Some(inner) => checked(inner, field, nulls.as_ref()),
        None => Ok(new_null_array(field.data_type(), column.len())),
    };
    let columns = fields.iter().map(inner).collect::<Result<Vec<_>, _>>()?;
    StructArray::try_new_with_length(fields.clone(), columns, nulls, column.len()).map_err(|e| {
        let field = Field::new_struct("", fields.clone(), true);
        not_built(&field, e)
    })
}

/// Converts a column and checks that it has no null that its field does not allow.
fn checked(column: &ArrayRef, field: &Field, hidden: Option<&NullBuffer>) -> Result<ArrayRef, Unfit> {
    let column = convert_in(column, field, hidden)?;
    match find_null_in(field, &column, hidden) {
        Some(NullAt { path, row }) => Err(Unfit { error: missing_value(field), path, row: Some(row) }),
        None => Ok(column),
    }
}

/// The error for checked columns that do not fit together: even this is a fault of the file.
fn not_built(field: &Field, error: arrow::error::ArrowError) -> Unfit {
    let text = format!("a value cannot be read as {}", field.data_type());
    Unfit { error: Error::data(text).because(error), path: field.name().clone(), row: None }
}
