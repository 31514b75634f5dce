//! Enums without payloads, with `#[derive(Row)]`: a dictionary of the variants' names.
//!
//! The view is the enum itself. Every array that is built has the same dictionary, which holds all
//! names in declaration order, so batches can be concatenated and sent without comparing dictionaries.
//! Columns from other writers may have any dictionary, or be plain text; opening a column fails for a
//! name that is no variant. As keys, variants sort in declaration order.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, DictionaryArray, Int32Array, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int32Type};

use super::{ColumnBuilder, ColumnReader, Row};
use crate::error::{Error, Result};

/// An enum without payloads whose variants are numbered from 0.
pub trait UnitEnum: for<'a> Row<View<'a> = Self> + Copy {
    /// The variants in declaration order.
    const VARIANTS: &'static [Self];
    /// The variants' names in a column.
    const NAMES: &'static [&'static str];
    /// The number of a variant.
    fn number(self) -> usize;
}

/// The Arrow type of a column of variants.
pub fn enum_type() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

/// Builds a column of variants.
pub struct Variants<T> {
    numbers: Vec<i32>,
    _variant: std::marker::PhantomData<fn() -> T>,
}

impl<T> Default for Variants<T> {
    fn default() -> Self {
        Variants { numbers: Vec::new(), _variant: std::marker::PhantomData }
    }
}

impl<T: UnitEnum> ColumnBuilder for Variants<T> {
    type Row = T;
    #[inline]
    fn push(&mut self, view: T) {
        self.numbers.push(view.number() as i32);
    }
    fn push_null(&mut self) {
        self.numbers.push(0);
    }
    fn len(&self) -> usize {
        self.numbers.len()
    }
    fn size_bytes(&self) -> usize {
        size_of_val(&self.numbers[..])
    }
    fn finish(&mut self) -> ArrayRef {
        let names = StringArray::from_iter_values(T::NAMES);
        let numbers = Int32Array::from(std::mem::take(&mut self.numbers));
        Arc::new(DictionaryArray::new(numbers, Arc::new(names)))
    }
}

/// Reads a column of variants, looked up when it is opened.
pub struct VariantReader<T>(Vec<T>);

impl<T: UnitEnum> ColumnReader for VariantReader<T> {
    type Row = T;

    fn open(array: &ArrayRef) -> Result<Self> {
        if !is_text(array.data_type()) {
            let (found, expected) = (array.data_type(), enum_type());
            return Err(Error::data(format!("a column has the type {found}, expected {expected}")));
        }
        let array = cast(array, &enum_type())?;
        let array = array.as_dictionary::<Int32Type>();
        let known: Vec<Option<T>> =
            array.values().as_string::<i32>().iter().map(|name| name.and_then(variant)).collect();
        (0..array.len())
            .map(|row| known_variant(array, &known, row))
            .collect::<Result<_>>()
            .map(VariantReader)
    }

    #[inline]
    fn get(&self, index: usize) -> T {
        self.0[index]
    }
}

/// Text, or a dictionary of text.
fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => is_text(values),
        other => matches!(other, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View),
    }
}

fn variant<T: UnitEnum>(name: &str) -> Option<T> {
    T::NAMES.iter().position(|known| *known == name).map(|number| T::VARIANTS[number])
}

/// The variant of a row; any variant for a null.
fn known_variant<T: UnitEnum>(
    array: &DictionaryArray<Int32Type>,
    known: &[Option<T>],
    row: usize,
) -> Result<T> {
    let Some(number) = array.key(row) else { return Ok(T::VARIANTS[0]) };
    known[number].ok_or_else(|| {
        let value = array.values().as_string::<i32>().value(number);
        Error::data(format!("`{value}` is none of {}", T::NAMES.join(", ")))
    })
}
