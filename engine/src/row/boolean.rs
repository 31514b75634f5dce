//! `bool`: the view is the value, the column one bit a row.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::DataType;

use super::column::typed;
use super::primitive::{key, own_view};
use super::{ColumnBuilder, ColumnReader, Key, Required, Row, mix};
use crate::error::Result;

/// Builds a column of booleans.
#[derive(Default)]
pub struct Bools(Vec<bool>);

/// Reads a column of booleans.
pub struct BoolReader(BooleanArray);

impl ColumnBuilder for Bools {
    type Row = bool;
    #[inline]
    fn push(&mut self, view: bool) {
        self.0.push(view);
    }
    fn push_null(&mut self) {
        self.0.push(false);
    }
    fn len(&self) -> usize {
        self.0.len()
    }
    fn size_bytes(&self) -> usize {
        self.0.len()
    }
    fn finish(&mut self) -> ArrayRef {
        let values = BooleanBuffer::from(std::mem::take(&mut self.0));
        Arc::new(BooleanArray::new(values, None))
    }
}

impl ColumnReader for BoolReader {
    type Row = bool;
    fn open(array: &ArrayRef) -> Result<Self> {
        typed(array, &DataType::Boolean).map(BoolReader)
    }
    #[inline]
    fn get(&self, index: usize) -> bool {
        self.0.value(index)
    }
}

impl Row for bool {
    own_view!();
    type Builder = Bools;
    type Reader = BoolReader;
    type Nullability = Required;
    fn data_type() -> DataType {
        DataType::Boolean
    }
}
key!(bool, |v| v as u64, |v| v as u64, Ord::cmp);
