//! `Vec<T>`: a list as one value; the column is Arrow's `List` of the column of `T`.
//!
//! The builder takes lists as views ([`ListView`]) and makes one array of items with the offset at
//! which each list ends. Items may be any rows, also lists or options; they are nullable only if `T` is
//! an option. The builder and reader of `T` handle the items.

mod key;
mod view;

pub(crate) use view::Items;
pub use view::{ListIter, ListView};

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ListArray};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, FieldRef};

use super::column::typed;
use super::{ColumnBuilder, ColumnReader, IntoRow, Required, Row};
use crate::error::{Error, Result};

impl<T: Row> Row for Vec<T> {
    type View<'a> = ListView<'a, T>;
    type Builder = Lists<T>;
    type Reader = ListReader<T>;
    type Nullability = Required;
    fn own(view: ListView<'_, T>) -> Self {
        view.to_vec()
    }
    #[inline]
    fn view(&self) -> ListView<'_, T> {
        ListView::from(&self[..])
    }
    #[inline]
    fn narrow<'short, 'long: 'short>(view: ListView<'long, T>) -> ListView<'short, T> {
        view
    }
    fn data_type() -> DataType {
        DataType::List(item_field::<T>())
    }
}

/// A list of values that convert to rows converts to the list of those rows.
impl<X: IntoRow> IntoRow for Vec<X> {
    type Row = Vec<X::Row>;
    #[inline]
    fn as_view(&self) -> ListView<'_, X::Row> {
        ListView::of(self, 0..self.len())
    }
}

impl<T: Row> IntoRow for ListView<'_, T> {
    type Row = Vec<T>;
    #[inline]
    fn as_view(&self) -> ListView<'_, T> {
        *self
    }
}

fn item_field<T: Row>() -> FieldRef {
    Arc::new(Field::new_list_field(T::data_type(), T::NULLABLE))
}

/// Builds a column of lists: at most 2^31 - 1 items, which is far more than a batch may hold.
pub struct Lists<T: Row> {
    /// End offset of each list; the first one starts at 0.
    ends: Vec<i32>,
    items: T::Builder,
}

impl<T: Row> Default for Lists<T> {
    fn default() -> Self {
        Lists { ends: Vec::new(), items: T::Builder::default() }
    }
}

impl<T: Row> ColumnBuilder for Lists<T> {
    type Row = Vec<T>;
    #[inline]
    fn push(&mut self, view: ListView<'_, T>) {
        view.push_to(&mut self.items);
        self.push_null();
    }
    fn push_null(&mut self) {
        self.ends.push(self.items.len() as i32);
    }
    fn len(&self) -> usize {
        self.ends.len()
    }
    fn size_bytes(&self) -> usize {
        self.items.size_bytes() + size_of_val(&self.ends[..])
    }
    fn finish(&mut self) -> ArrayRef {
        assert!(self.items.len() <= i32::MAX as usize, "the lists of a batch hold more than 2^31 items");
        let mut offsets = Vec::with_capacity(self.ends.len() + 1);
        offsets.push(0);
        offsets.append(&mut self.ends);
        let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
        Arc::new(ListArray::new(item_field::<T>(), offsets, self.items.finish(), None))
    }
}

/// Reads a column of lists.
pub struct ListReader<T: Row> {
    offsets: OffsetBuffer<i32>,
    items: T::Reader,
}

impl<T: Row> ColumnReader for ListReader<T> {
    type Row = Vec<T>;
    fn open(array: &ArrayRef) -> Result<Self> {
        let array: ListArray = typed(array, &Vec::<T>::data_type())?;
        if !T::NULLABLE && array.values().null_count() > 0 {
            return Err(Error::data("a list has an item that is null")
                .help("if items may be absent, let them be `Option`s: `Vec<Option<_>>`"));
        }
        Ok(ListReader { offsets: array.offsets().clone(), items: T::Reader::open(array.values())? })
    }
    #[inline]
    fn get(&self, index: usize) -> ListView<'_, T> {
        ListView::column(&self.items, self.offsets[index] as usize..self.offsets[index + 1] as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::{RowReader, to_batch};

    fn round_trip<T: Row>(rows: &[T]) -> Vec<T> {
        let mut builder = T::Builder::default();
        rows.iter().for_each(|row| builder.push(row.view()));
        let batch = to_batch::<T>(&mut builder).unwrap();
        RowReader::<T>::open(&batch).unwrap().iter().map(T::own).collect()
    }

    #[test]
    fn lists_come_back_as_they_went_in() {
        let numbers = [vec![1_u64, 2, 3], vec![], vec![4]];
        assert_eq!(round_trip(&numbers), numbers);
        let nested = [vec![vec!["a".to_owned()], vec![]], vec![], vec![vec![String::new(), "b".into()]]];
        assert_eq!(round_trip(&nested), nested);
        let options = [Some(vec![Some(1_i8), None]), None, Some(vec![])];
        assert_eq!(round_trip(&options), options);
    }

    #[test]
    fn a_list_column_may_be_a_slice_of_another() {
        let mut builder = Lists::<u64>::default();
        (0..10).for_each(|n| builder.push(vec![n; n as usize].view()));
        let column = builder.finish().slice(3, 2);
        let reader = ListReader::<u64>::open(&column).unwrap();
        assert_eq!([reader.get(0).to_vec(), reader.get(1).to_vec()], [vec![3; 3], vec![4; 4]]);
    }

    #[test]
    fn a_list_of_borrowed_items_stands_for_a_list_of_rows() {
        let words = vec!["a", "b"];
        let mut builder = Lists::<String>::default();
        builder.push(words.as_view());
        let reader = ListReader::<String>::open(&builder.finish()).unwrap();
        assert_eq!(reader.get(0).to_vec(), ["a", "b"]);
    }

    #[test]
    fn a_null_item_is_refused_where_items_are_no_options() {
        let mut builder = Lists::<Option<u64>>::default();
        builder.push(vec![Some(1), None].view());
        let error = ListReader::<u64>::open(&builder.finish()).err().unwrap();
        assert_eq!(error.class(), crate::Class::Data);
        assert!(error.to_string().contains("Vec<Option<_>>"), "{error}");
    }
}
