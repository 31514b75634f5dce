//! `Box<T>`: stored as the column of `T`. The box does not appear in Arrow.
//!
//! A box keeps a rare, large field out of a struct's own size. Every method here only adds or removes
//! the box. The view is a wrapper type around the view of `T`, because each view type belongs to
//! exactly one row type ([`IntoRow::Row`]).

use std::cmp::Ordering;
use std::fmt;
use std::ops::Deref;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field};

use super::{ColumnBuilder, ColumnReader, IntoRow, Key, Row};
use crate::error::Result;

/// The view of a `Box<T>`: `*view` is the view of `T`.
pub struct BoxView<'a, T: Row>(pub T::View<'a>);

impl<T: Row> Clone for BoxView<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Row> Copy for BoxView<'_, T> {}

impl<'a, T: Row> Deref for BoxView<'a, T> {
    type Target = T::View<'a>;
    #[inline]
    fn deref(&self) -> &T::View<'a> {
        &self.0
    }
}

impl<'a, T: Row<View<'a>: fmt::Debug>> fmt::Debug for BoxView<'a, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T: Row> IntoRow for BoxView<'_, T> {
    type Row = Box<T>;
    #[inline]
    fn as_view(&self) -> BoxView<'_, T> {
        BoxView(T::narrow(self.0))
    }
}

impl<X: IntoRow> IntoRow for Box<X> {
    type Row = Box<X::Row>;
    #[inline]
    fn as_view(&self) -> BoxView<'_, X::Row> {
        BoxView((**self).as_view())
    }
}

impl<T: Row> Row for Box<T> {
    type View<'a> = BoxView<'a, T>;
    type Builder = Boxes<T>;
    type Reader = BoxReader<T>;
    type Nullability = T::Nullability;
    const NULLABLE: bool = T::NULLABLE;
    #[inline]
    fn own(view: BoxView<'_, T>) -> Self {
        Box::new(T::own(view.0))
    }
    #[inline]
    fn view(&self) -> BoxView<'_, T> {
        BoxView(T::view(self))
    }
    #[inline]
    fn narrow<'short, 'long: 'short>(view: BoxView<'long, T>) -> BoxView<'short, T> {
        BoxView(T::narrow(view.0))
    }
    fn data_type() -> DataType {
        T::data_type()
    }
    fn columns() -> Vec<Field> {
        T::columns()
    }
}

/// Builds the column of `T`.
pub struct Boxes<T: Row>(T::Builder);

impl<T: Row> Default for Boxes<T> {
    fn default() -> Self {
        Boxes(T::Builder::default())
    }
}

impl<T: Row> ColumnBuilder for Boxes<T> {
    type Row = Box<T>;
    #[inline]
    fn push(&mut self, view: BoxView<'_, T>) {
        self.0.push(view.0);
    }
    fn push_null(&mut self) {
        self.0.push_null();
    }
    fn len(&self) -> usize {
        self.0.len()
    }
    fn size_bytes(&self) -> usize {
        self.0.size_bytes()
    }
    fn finish(&mut self) -> ArrayRef {
        self.0.finish()
    }
    fn finish_columns(&mut self) -> Vec<ArrayRef> {
        self.0.finish_columns()
    }
}

/// Reads the column of `T`.
pub struct BoxReader<T: Row>(T::Reader);

impl<T: Row> ColumnReader for BoxReader<T> {
    type Row = Box<T>;
    fn open(array: &ArrayRef) -> Result<Self> {
        T::Reader::open(array).map(BoxReader)
    }
    fn open_columns(columns: &[ArrayRef]) -> Result<Self> {
        T::Reader::open_columns(columns).map(BoxReader)
    }
    #[inline]
    fn get(&self, index: usize) -> BoxView<'_, T> {
        BoxView(self.0.get(index))
    }
}

impl<K: Key> Key for Box<K> {
    type Slot = K::Slot;
    type Arena = K::Arena;
    #[inline]
    fn hash(view: BoxView<'_, K>) -> u64 {
        K::hash(view.0)
    }
    #[inline]
    fn same(a: BoxView<'_, K>, b: BoxView<'_, K>) -> bool {
        K::same(K::narrow(a.0), K::narrow(b.0))
    }
    fn compare(a: BoxView<'_, K>, b: BoxView<'_, K>) -> Ordering {
        K::compare(K::narrow(a.0), K::narrow(b.0))
    }
    #[inline]
    fn store(view: BoxView<'_, K>, arena: &mut K::Arena) -> K::Slot {
        K::store(view.0, arena)
    }
    #[inline]
    fn load<'a>(slot: &'a K::Slot, arena: &'a K::Arena) -> BoxView<'a, K> {
        BoxView(K::load(slot, arena))
    }
    fn arena_bytes(arena: &K::Arena) -> usize {
        K::arena_bytes(arena)
    }
    #[inline]
    fn prefix(view: BoxView<'_, K>) -> u64 {
        K::prefix(view.0)
    }
    #[inline]
    fn matches(slot: &K::Slot, arena: &K::Arena, view: BoxView<'_, K>) -> bool {
        K::matches(slot, arena, view.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::schema;

    #[test]
    fn a_box_leaves_no_trace_in_the_columns() {
        assert_eq!(schema::<Box<(u64, String)>>(), schema::<(u64, String)>());
        let mut builder = Boxes::<Option<String>>::default();
        [Some("a".to_owned()), None].map(Box::new).iter().for_each(|row| builder.push(row.view()));
        let reader = BoxReader::<Option<String>>::open(&builder.finish()).unwrap();
        assert_eq!((*reader.get(0), *reader.get(1)), (Some("a"), None));
    }
}
