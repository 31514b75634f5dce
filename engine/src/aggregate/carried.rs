//! The hash of a key, sent through an exchange as a column beside the key.
//!
//! Sending the hash of a string is worth its eight bytes. The hash of a number is cheaper to compute
//! again, so its column has a type without data.

use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, NullArray, UInt64Array};
use arrow::datatypes::{DataType, UInt64Type};

use crate::error::{Error, Result};
use crate::row::{ColumnBuilder, ColumnReader, IntoRow, Key, Optional, Row, own_view};

/// The hash of a key of type `K`.
pub struct Carried<K>(u64, PhantomData<fn() -> K>);

impl<K> Clone for Carried<K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K> Copy for Carried<K> {}

impl<K: Key> Carried<K> {
    /// Wraps `hash`, the hash of the key in the same row.
    #[inline]
    pub fn new(hash: u64) -> Self {
        Carried(hash, PhantomData)
    }

    /// The hash of `key`, the key in the same row.
    #[inline]
    pub fn of(self, key: K::View<'_>) -> u64 {
        if K::HASH_IS_CHEAP { K::hash(key) } else { self.0 }
    }
}

impl<K: Key> IntoRow for Carried<K> {
    type Row = Carried<K>;
    #[inline]
    fn as_view(&self) -> Carried<K> {
        *self
    }
}

impl<K: Key> Row for Carried<K> {
    own_view!();
    type Builder = Hashes<K>;
    type Reader = HashReader<K>;

    // A column of Arrow's null type has only nulls.
    type Nullability = Optional;

    fn data_type() -> DataType {
        if K::HASH_IS_CHEAP { DataType::Null } else { DataType::UInt64 }
    }
}

/// Builds a column of hashes.
pub struct Hashes<K> {
    /// Empty if hashes of `K` are cheap.
    hashes: Vec<u64>,
    rows: usize,
    _key: PhantomData<fn() -> K>,
}

impl<K> Default for Hashes<K> {
    fn default() -> Self {
        Hashes { hashes: Vec::new(), rows: 0, _key: PhantomData }
    }
}

impl<K: Key> ColumnBuilder for Hashes<K> {
    type Row = Carried<K>;

    #[inline]
    fn push(&mut self, view: Carried<K>) {
        self.rows += 1;
        if !K::HASH_IS_CHEAP {
            self.hashes.push(view.0);
        }
    }
    fn push_null(&mut self) {
        self.push(Carried::new(0));
    }
    fn len(&self) -> usize {
        self.rows
    }
    fn size_bytes(&self) -> usize {
        size_of_val(&self.hashes[..])
    }
    fn finish(&mut self) -> ArrayRef {
        let (hashes, rows) = (std::mem::take(&mut self.hashes), std::mem::take(&mut self.rows));
        if K::HASH_IS_CHEAP { Arc::new(NullArray::new(rows)) } else { Arc::new(UInt64Array::from(hashes)) }
    }
}

/// Reads a column of hashes, which is empty if hashes of `K` are cheap.
pub struct HashReader<K>(UInt64Array, PhantomData<fn() -> K>);

impl<K: Key> ColumnReader for HashReader<K> {
    type Row = Carried<K>;

    fn open(array: &ArrayRef) -> Result<Self> {
        let (found, expected) = (array.data_type(), Carried::<K>::data_type());
        if *found != expected {
            return Err(Error::bug(format!("a column of hashes has the type {found}, expected {expected}")));
        }
        let hashes = array.as_primitive_opt::<UInt64Type>().cloned();
        Ok(HashReader(hashes.unwrap_or_else(|| UInt64Array::from(Vec::<u64>::new())), PhantomData))
    }

    #[inline]
    fn get(&self, index: usize) -> Carried<K> {
        Carried::new(if K::HASH_IS_CHEAP { 0 } else { self.0.value(index) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::ipc;
    use crate::row::to_batch;

    fn carried<K: Key + PartialEq + std::fmt::Debug>(key: K) -> (u64, usize) {
        let mut builder = <(Carried<K>, K) as Row>::Builder::default();
        builder.push((Carried::new(K::hash(key.view())), key.view()));
        let batch = to_batch::<(Carried<K>, K)>(&mut builder).unwrap();
        let bytes = batch.column(0).get_buffer_memory_size();
        let (hash, found) = ipc::rows_of::<(Carried<K>, K)>(&[batch]).unwrap().remove(0);
        assert_eq!(found, key);
        (hash.of(key.view()), bytes)
    }

    #[test]
    fn a_hash_of_text_is_carried_and_one_of_a_number_is_made_again() {
        let (hash, bytes) = carried("word".to_owned());
        assert!(hash == String::hash("word") && bytes > 0);
        assert_eq!(carried(7u64), (u64::hash(7), 0));
    }
}
