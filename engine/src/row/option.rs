//! `Option<T>`: the nullable column of `T`. An option of an option is rejected at compile time.

use std::any::type_name;
use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::nullif;
use arrow::datatypes::DataType;

use super::{ColumnBuilder, ColumnReader, Key, Optional, Row, mix};
use crate::error::Result;

/// Builds a nullable column.
pub struct Nullable<T: Row> {
    values: T::Builder,
    absent: Vec<bool>,
}

/// Reads a nullable column.
pub struct NullableReader<T: Row> {
    values: T::Reader,
    nulls: Option<NullBuffer>,
}

impl<T: Row> Row for Option<T> {
    type View<'a> = Option<T::View<'a>>;
    type Builder = Nullable<T>;
    type Reader = NullableReader<T>;
    type Nullability = Optional;
    const NULLABLE: bool = {
        assert!(!T::NULLABLE, "a column cannot tell `None` from `Some(None)`: use one `Option`");
        true
    };
    #[inline]
    fn own(view: Option<T::View<'_>>) -> Self {
        view.map(T::own)
    }
    #[inline]
    fn view(&self) -> Option<T::View<'_>> {
        self.as_ref().map(T::view)
    }
    #[inline]
    fn narrow<'short, 'long: 'short>(view: Option<T::View<'long>>) -> Option<T::View<'short>> {
        view.map(T::narrow)
    }
    fn data_type() -> DataType {
        T::data_type()
    }
}

impl<T: Row> Default for Nullable<T> {
    fn default() -> Self {
        Nullable { values: T::Builder::default(), absent: Vec::new() }
    }
}

impl<T: Row> ColumnBuilder for Nullable<T> {
    type Row = Option<T>;
    #[inline]
    fn push(&mut self, view: Option<T::View<'_>>) {
        self.absent.push(view.is_none());
        match view {
            Some(value) => self.values.push(value),
            None => self.values.push_null(),
        }
    }
    fn push_null(&mut self) {
        self.push(None);
    }
    fn len(&self) -> usize {
        self.absent.len()
    }
    fn size_bytes(&self) -> usize {
        self.values.size_bytes() + self.absent.len()
    }
    fn finish(&mut self) -> ArrayRef {
        let absent = BooleanArray::new(BooleanBuffer::from(std::mem::take(&mut self.absent)), None);
        let values = self.values.finish();
        // Checks the array and not `values.len()`, because the builder may be a user's.
        assert_eq!(values.len(), absent.len(), "the builder of `{}` has lost rows", type_name::<T>());
        match nullif(&values, &absent) {
            Ok(column) => column,
            Err(e) => panic!("the column of an `Option<{}>` cannot be built: {e}", type_name::<T>()),
        }
    }
}

impl<T: Row> ColumnReader for NullableReader<T> {
    type Row = Option<T>;
    fn open(array: &ArrayRef) -> Result<Self> {
        Ok(NullableReader { values: T::Reader::open(&Arc::clone(array))?, nulls: array.nulls().cloned() })
    }
    #[inline]
    fn get(&self, index: usize) -> Option<T::View<'_>> {
        let null = self.nulls.as_ref().is_some_and(|n| n.is_null(index));
        if null { None } else { Some(self.values.get(index)) }
    }
}

/// `None` is a key like any other and sorts first.
impl<T: Key> Key for Option<T> {
    type Slot = Option<T::Slot>;
    type Arena = T::Arena;
    #[inline]
    fn hash(view: Option<T::View<'_>>) -> u64 {
        view.map_or(0x8ebc_6af0_9c88_c6e3, |v| mix(T::hash(v), 0x5899_65cc_7537_4cc3))
    }
    #[inline]
    fn same(a: Option<T::View<'_>>, b: Option<T::View<'_>>) -> bool {
        match (a, b) {
            (Some(a), Some(b)) => T::same(a, b),
            (a, b) => a.is_none() && b.is_none(),
        }
    }
    fn compare(a: Option<T::View<'_>>, b: Option<T::View<'_>>) -> Ordering {
        match (a, b) {
            (Some(a), Some(b)) => T::compare(a, b),
            (a, b) => a.is_some().cmp(&b.is_some()),
        }
    }
    #[inline]
    fn store(view: Option<T::View<'_>>, arena: &mut T::Arena) -> Option<T::Slot> {
        view.map(|v| T::store(v, arena))
    }
    fn arena_bytes(arena: &T::Arena) -> usize {
        T::arena_bytes(arena)
    }
    /// One bit separates `None` from the rest, so the prefix loses its last bit.
    #[inline]
    fn prefix(view: Option<T::View<'_>>) -> u64 {
        view.map_or(0, |v| 1 << 63 | T::prefix(v) >> 1)
    }
    #[inline]
    fn load<'a>(slot: &'a Option<T::Slot>, arena: &'a T::Arena) -> Option<T::View<'a>> {
        slot.as_ref().map(|s| T::load(s, arena))
    }
}
