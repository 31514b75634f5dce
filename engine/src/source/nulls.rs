//! Finds nulls in columns whose row type does not allow them.
//!
//! The result is the first such null with its row. The readers of rows ignore the null masks of columns that
//! are not `Option`s, so this check prevents a null from becoming a zero. Values inside a null struct are not
//! checked.

use arrow::array::{Array, ArrayRef, AsArray, OffsetSizeTrait};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field};

/// A null in a column that is not nullable.
pub(super) struct NullAt {
    /// The column, with the fields on the path to it: `place.city`.
    pub(super) path: String,
    /// The row in the batch.
    pub(super) row: usize,
}

/// The first null in `column` that `field`, or a field inside it, does not allow.
pub(super) fn find_null(field: &Field, column: &ArrayRef) -> Option<NullAt> {
    find_null_in(field, column, None)
}

/// The same for a nested column; `hidden` marks the rows in which a struct around it is null.
pub(super) fn find_null_in(field: &Field, column: &ArrayRef, hidden: Option<&NullBuffer>) -> Option<NullAt> {
    let nulls = column.logical_nulls().filter(|nulls| nulls.null_count() > 0);
    if !field.is_nullable()
        && let Some(nulls) = &nulls
    {
        let is_bad = |row: &usize| nulls.is_null(*row) && hidden.is_none_or(|hidden| hidden.is_valid(*row));
        if let Some(row) = (0..column.len()).find(is_bad) {
            return Some(NullAt { path: field.name().clone(), row });
        }
    }
    let inside = match (field.data_type(), column.data_type()) {
        (DataType::Struct(fields), DataType::Struct(_)) => {
            let hidden = NullBuffer::union(hidden, nulls.as_ref());
            let columns = column.as_struct().columns();
            fields
                .iter()
                .zip(columns)
                .find_map(|(field, column)| find_null_in(field, column, hidden.as_ref()))
        }
        (DataType::List(item), DataType::List(_)) => look_in_list::<i32>(item, column),
        (DataType::LargeList(item), DataType::LargeList(_)) => look_in_list::<i64>(item, column),
        (DataType::Map(entry, _), DataType::Map(..)) => {
            let map = column.as_map();
            let entries: ArrayRef = std::sync::Arc::new(map.entries().clone());
            look_in_items(entry, &entries, map.offsets())
        }
        _ => None,
    }?;
    Some(NullAt { path: format!("{}.{}", field.name(), inside.path), row: inside.row })
}

fn look_in_list<O: OffsetSizeTrait>(item: &Field, column: &ArrayRef) -> Option<NullAt> {
    let list = column.as_list::<O>();
    look_in_items(item, list.values(), list.offsets())
}

/// Checks the items of lists; the row in the result is that of the list.
fn look_in_items<O: OffsetSizeTrait>(item: &Field, items: &ArrayRef, offsets: &[O]) -> Option<NullAt> {
    let (first, last) = (offsets.first()?.as_usize(), offsets.last()?.as_usize());
    let found = find_null_in(item, &items.slice(first, last - first), None)?;
    Some(NullAt { row: row_of(offsets, first + found.row), ..found })
}

/// The row whose list contains `item`.
pub(super) fn row_of<O: OffsetSizeTrait>(offsets: &[O], item: usize) -> usize {
    offsets.partition_point(|offset| offset.as_usize() <= item).saturating_sub(1)
}
