//! Tuples: a struct column with the fields `_1`, `_2`, …, or one table column per field.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{ArrayRef, StructArray};
use arrow::datatypes::{DataType, Field, Fields};

use super::column::{columns_differ, inner_columns, typed};
use super::{ColumnBuilder, ColumnReader, Key, Required, Row, mix};
use crate::error::Result;

/// Builds the columns of a tuple.
pub struct Tuple<B>(B);

impl<B: Default> Default for Tuple<B> {
    fn default() -> Self {
        Tuple(B::default())
    }
}

macro_rules! tuples {
    ($($name:ident $field:tt $label:literal),*) => {
        impl<$($name: Row),*> Row for ($($name,)*) {
            type View<'a> = ($($name::View<'a>,)*);
            type Builder = Tuple<($($name::Builder,)*)>;
            type Reader = Tuple<($($name::Reader,)*)>;
            type Nullability = Required;
            #[inline]
            fn own(view: Self::View<'_>) -> Self {
                ($($name::own(view.$field),)*)
            }
            #[inline]
            fn view(&self) -> Self::View<'_> {
                ($(self.$field.view(),)*)
            }
            #[inline]
            fn narrow<'short, 'long: 'short>(view: Self::View<'long>) -> Self::View<'short> {
                ($($name::narrow(view.$field),)*)
            }
            fn data_type() -> DataType {
                DataType::Struct(Fields::from(Self::columns()))
            }
            fn columns() -> Vec<Field> {
                vec![$(Field::new($label, $name::data_type(), $name::NULLABLE)),*]
            }
        }

        impl<$($name: ColumnBuilder),*> ColumnBuilder for Tuple<($($name,)*)>
        where ($($name::Row,)*): for<'a> Row<View<'a> = ($(<$name::Row as Row>::View<'a>,)*)>
        {
            type Row = ($($name::Row,)*);
            #[inline]
            fn push(&mut self, view: <Self::Row as Row>::View<'_>) {
                $(self.0.$field.push(view.$field);)*
            }
            fn push_null(&mut self) {
                $(self.0.$field.push_null();)*
            }
            fn len(&self) -> usize {
                self.0.0.len()
            }
            fn size_bytes(&self) -> usize {
                0 $(+ self.0.$field.size_bytes())*
            }
            fn finish(&mut self) -> ArrayRef {
                let fields = Fields::from(<Self::Row as Row>::columns());
                Arc::new(StructArray::new(fields, self.finish_columns(), None))
            }
            fn finish_columns(&mut self) -> Vec<ArrayRef> {
                vec![$(self.0.$field.finish()),*]
            }
        }

        impl<$($name: ColumnReader),*> ColumnReader for Tuple<($($name,)*)>
        where ($($name::Row,)*): for<'a> Row<View<'a> = ($(<$name::Row as Row>::View<'a>,)*)>
        {
            type Row = ($($name::Row,)*);
            fn open(array: &ArrayRef) -> Result<Self> {
                let array: StructArray = typed(array, &<Self::Row as Row>::data_type())?;
                Self::open_columns(&inner_columns(&array)?)
            }
            fn open_columns(columns: &[ArrayRef]) -> Result<Self> {
                const WIDTH: usize = [$($label),*].len();
                if columns.len() != WIDTH {
                    return Err(columns_differ::<Self::Row>(columns.len()));
                }
                Ok(Tuple(($($name::open(&columns[$field]).map_err(|e| e.at("column", $label))?,)*)))
            }
            #[inline]
            fn get(&self, index: usize) -> <Self::Row as Row>::View<'_> {
                ($(self.0.$field.get(index),)*)
            }
        }

        impl<$($name: Key),*> Key for ($($name,)*) {
            type Slot = ($($name::Slot,)*);
            type Arena = ($($name::Arena,)*);
            #[inline]
            fn hash(view: Self::View<'_>) -> u64 {
                let mut hash = 0;
                $(hash = mix(hash ^ $name::hash(view.$field), 0x5899_65cc_7537_4cc3);)*
                hash
            }
            #[inline]
            fn same(a: Self::View<'_>, b: Self::View<'_>) -> bool {
                true $(&& $name::same(a.$field, b.$field))*
            }
            fn compare(a: Self::View<'_>, b: Self::View<'_>) -> Ordering {
                Ordering::Equal $(.then_with(|| $name::compare(a.$field, b.$field)))*
            }
            #[inline]
            fn store(view: Self::View<'_>, arena: &mut Self::Arena) -> Self::Slot {
                ($($name::store(view.$field, &mut arena.$field),)*)
            }
            #[inline]
            fn load<'a>(slot: &'a Self::Slot, arena: &'a Self::Arena) -> Self::View<'a> {
                ($($name::load(&slot.$field, &arena.$field),)*)
            }
            fn arena_bytes(arena: &Self::Arena) -> usize {
                0 $(+ $name::arena_bytes(&arena.$field))*
            }
            #[inline]
            fn prefix(view: Self::View<'_>) -> u64 {
                A::prefix(view.0)
            }
            #[inline]
            fn matches(slot: &Self::Slot, arena: &Self::Arena, view: Self::View<'_>) -> bool {
                true $(&& $name::matches(&slot.$field, &arena.$field, view.$field))*
            }
        }
    };
}

tuples!(A 0 "_1", B 1 "_2");
tuples!(A 0 "_1", B 1 "_2", C 2 "_3");
tuples!(A 0 "_1", B 1 "_2", C 2 "_3", D 3 "_4");
tuples!(A 0 "_1", B 1 "_2", C 2 "_3", D 3 "_4", E 4 "_5");
tuples!(A 0 "_1", B 1 "_2", C 2 "_3", D 3 "_4", E 4 "_5", F 5 "_6");
tuples!(A 0 "_1", B 1 "_2", C 2 "_3", D 3 "_4", E 4 "_5", F 5 "_6", G 6 "_7");
tuples!(A 0 "_1", B 1 "_2", C 2 "_3", D 3 "_4", E 4 "_5", F 5 "_6", G 6 "_7", H 7 "_8");
