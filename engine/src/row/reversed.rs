//! `Reverse<T>` of the standard library: a key in descending order; the column is that of `T`.
//!
//! A sort uses only the order of the keys, so a descending key has its own type, as with
//! `slice::sort_by_key`. Each part of a tuple has its own direction.

use std::cmp::{Ordering, Reverse};

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field};

use super::{ColumnBuilder, ColumnReader, IntoRow, Key, Row};
use crate::error::Result;

impl<X: IntoRow> IntoRow for Reverse<X> {
    type Row = Reverse<X::Row>;
    #[inline]
    fn as_view(&self) -> Reverse<<X::Row as Row>::View<'_>> {
        Reverse(self.0.as_view())
    }
}

impl<T: Row> Row for Reverse<T> {
    type View<'a> = Reverse<T::View<'a>>;
    type Builder = Reversed<T::Builder>;
    type Reader = Reversed<T::Reader>;
    type Nullability = T::Nullability;
    const NULLABLE: bool = T::NULLABLE;
    #[inline]
    fn own(view: Reverse<T::View<'_>>) -> Self {
        Reverse(T::own(view.0))
    }
    #[inline]
    fn view(&self) -> Reverse<T::View<'_>> {
        Reverse(self.0.view())
    }
    #[inline]
    fn narrow<'short, 'long: 'short>(view: Reverse<T::View<'long>>) -> Reverse<T::View<'short>> {
        Reverse(T::narrow(view.0))
    }
    fn data_type() -> DataType {
        T::data_type()
    }
    fn columns() -> Vec<Field> {
        T::columns()
    }
}

/// Wraps the builder or reader of `T`.
#[derive(Default)]
pub struct Reversed<C>(C);

impl<B: ColumnBuilder> ColumnBuilder for Reversed<B> {
    type Row = Reverse<B::Row>;
    #[inline]
    fn push(&mut self, view: Reverse<<B::Row as Row>::View<'_>>) {
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

impl<R: ColumnReader> ColumnReader for Reversed<R> {
    type Row = Reverse<R::Row>;
    fn open(array: &ArrayRef) -> Result<Self> {
        R::open(array).map(Reversed)
    }
    fn open_columns(columns: &[ArrayRef]) -> Result<Self> {
        R::open_columns(columns).map(Reversed)
    }
    #[inline]
    fn get(&self, index: usize) -> Reverse<<R::Row as Row>::View<'_>> {
        Reverse(self.0.get(index))
    }
}

/// Only the order differs from `K`.
impl<K: Key> Key for Reverse<K> {
    type Slot = K::Slot;
    type Arena = K::Arena;
    const HASH_IS_CHEAP: bool = K::HASH_IS_CHEAP;
    const PREFIX_IS_KEY: bool = K::PREFIX_IS_KEY;
    #[inline]
    fn hash(view: Reverse<K::View<'_>>) -> u64 {
        K::hash(view.0)
    }
    #[inline]
    fn same(a: Reverse<K::View<'_>>, b: Reverse<K::View<'_>>) -> bool {
        K::same(K::narrow(a.0), K::narrow(b.0))
    }
    #[inline]
    fn compare(a: Reverse<K::View<'_>>, b: Reverse<K::View<'_>>) -> Ordering {
        K::compare(K::narrow(b.0), K::narrow(a.0))
    }
    #[inline]
    fn store(view: Reverse<K::View<'_>>, arena: &mut K::Arena) -> K::Slot {
        K::store(view.0, arena)
    }
    #[inline]
    fn load<'a>(slot: &'a K::Slot, arena: &'a K::Arena) -> Reverse<K::View<'a>> {
        Reverse(K::load(slot, arena))
    }
    fn arena_bytes(arena: &K::Arena) -> usize {
        K::arena_bytes(arena)
    }
    #[inline]
    fn prefix(view: Reverse<K::View<'_>>) -> u64 {
        !K::prefix(view.0)
    }
    #[inline]
    fn matches(slot: &K::Slot, arena: &K::Arena, view: Reverse<K::View<'_>>) -> bool {
        K::matches(slot, arena, view.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::schema;

    #[test]
    fn a_reversed_row_leaves_no_trace_in_the_columns() {
        assert_eq!(schema::<Reverse<(u64, String)>>(), schema::<(u64, String)>());
        let mut builder = <Reverse<Option<String>> as Row>::Builder::default();
        [Some("a".to_owned()), None].map(Reverse).iter().for_each(|row| builder.push(row.view()));
        let reader = <Reverse<Option<String>> as Row>::Reader::open(&builder.finish()).unwrap();
        assert_eq!((reader.get(0), reader.get(1)), (Reverse(Some("a")), Reverse(None)));
    }
}
