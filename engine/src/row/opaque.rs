//! `Opaque<T>`: a value of any serde type as one binary value. For types that have no columns: enums
//! with payloads, recursive types, types of other crates.
//!
//! Values are stored as their postcard bytes in a `Binary` column. A reader decodes them all when it is
//! opened, so a corrupt value fails before any row is read. Only a job with the same type can read such
//! a column, so users must ask for it by name.

use std::ops::Deref;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BinaryArray};
use arrow::datatypes::DataType;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::byte_runs::ByteRuns;
use super::column::typed;
use super::{ColumnBuilder, ColumnReader, IntoRow, Required, Row};
use crate::error::{Error, Result};

/// A value whose type has no columns, stored as bytes. It derefs to the value.
///
/// ```
/// # fn main() -> kiln::Result<()> {
/// use kiln::Opaque;
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// enum Shape {
///     Circle(f64),
///     Polygon(Vec<(f64, f64)>),
/// }
///
/// let cx = kiln::Context::local(1);
/// let shapes = cx.parallelize([Shape::Circle(1.0), Shape::Polygon(vec![(0.0, 0.0); 3])].map(Opaque));
/// let corners = shapes.map(|shape| match &**shape {
///     Shape::Circle(_) => 0,
///     Shape::Polygon(corners) => corners.len(),
/// });
/// assert_eq!(corners.collect()?, [0, 3]);
/// # Ok(()) }
/// ```
///
/// # Panics
/// A task panics when the `Serialize` of `T` rejects a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Opaque<T>(pub T);

impl<T> Deref for Opaque<T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        &self.0
    }
}

/// The serde traits that [`Opaque`] requires.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be stored as bytes",
    note = "`kiln::Opaque` takes types with `#[derive(serde::Serialize, serde::Deserialize)]` that own their data"
)]
pub trait Stored: Serialize + DeserializeOwned + Send + Sync + 'static {}
impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Stored for T {}

impl<T: Stored> Row for Opaque<T> {
    type View<'a> = &'a Opaque<T>;
    type Builder = Opaques<T>;
    type Reader = OpaqueReader<T>;
    type Nullability = Required;
    /// Copies by encoding and decoding, because not every type is `Clone`.
    fn own(view: &Opaque<T>) -> Self {
        Opaque(decode(&encode(&view.0)).unwrap_or_else(|e| panic!("{e}")))
    }
    #[inline]
    fn view(&self) -> &Opaque<T> {
        self
    }
    #[inline]
    fn narrow<'short, 'long: 'short>(view: &'long Opaque<T>) -> &'short Opaque<T> {
        view
    }
    fn data_type() -> DataType {
        DataType::Binary
    }
}

impl<T: Stored> IntoRow for Opaque<T> {
    type Row = Opaque<T>;
    #[inline]
    fn as_view(&self) -> &Opaque<T> {
        self
    }
}

impl<T: Stored> IntoRow for &Opaque<T> {
    type Row = Opaque<T>;
    #[inline]
    fn as_view(&self) -> &Opaque<T> {
        self
    }
}

/// Builds a column of encoded values.
pub struct Opaques<T> {
    encoded: ByteRuns,
    _value: std::marker::PhantomData<fn() -> T>,
}

impl<T> Default for Opaques<T> {
    fn default() -> Self {
        Opaques { encoded: ByteRuns::default(), _value: std::marker::PhantomData }
    }
}

impl<T: Stored> ColumnBuilder for Opaques<T> {
    type Row = Opaque<T>;
    fn push(&mut self, view: &Opaque<T>) {
        self.encoded.push(&encode(&view.0));
    }
    fn push_null(&mut self) {
        self.encoded.push(&[]);
    }
    fn len(&self) -> usize {
        self.encoded.len()
    }
    fn size_bytes(&self) -> usize {
        self.encoded.size_bytes()
    }
    fn finish(&mut self) -> ArrayRef {
        let (offsets, bytes) = self.encoded.finish();
        Arc::new(BinaryArray::new(offsets, bytes, None))
    }
}

/// Reads a column of encoded values, decoded when it is opened. Nulls have no value.
pub struct OpaqueReader<T>(Vec<Option<Opaque<T>>>);

impl<T: Stored> ColumnReader for OpaqueReader<T> {
    type Row = Opaque<T>;
    fn open(array: &ArrayRef) -> Result<Self> {
        let column: BinaryArray = typed(array, &DataType::Binary)?;
        // A null, also of an enclosing struct, has a placeholder that must not be decoded.
        let value = |row: usize| match column.is_null(row) {
            true => Ok(None),
            false => decode(column.value(row)).map(|value| Some(Opaque(value))),
        };
        (0..column.len()).map(value).collect::<Result<_>>().map(OpaqueReader)
    }
    #[inline]
    fn get(&self, index: usize) -> &Opaque<T> {
        self.0[index].as_ref().expect("a row that is not null has a value")
    }
}

fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    postcard::to_stdvec(value)
        .unwrap_or_else(|e| panic!("a `{}` cannot be stored as bytes: {e}", std::any::type_name::<T>()))
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    let name = std::any::type_name::<T>();
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        Ok((_, beyond)) => Err(Error::data(format!("{} bytes stand behind a `{name}`", beyond.len()))),
        Err(e) => Err(Error::data(format!("the bytes are no `{name}`")).because(e)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    enum Tree {
        Leaf,
        Fork(Box<Tree>, Box<Tree>),
    }

    fn column(rows: &[Option<Opaque<Tree>>]) -> ArrayRef {
        let mut builder = <Option<Opaque<Tree>> as Row>::Builder::default();
        rows.iter().for_each(|row| builder.push(row.view()));
        builder.finish()
    }

    #[test]
    fn a_recursive_type_comes_back_and_so_does_its_absence() {
        let fork = Tree::Fork(Box::new(Tree::Leaf), Box::new(Tree::Leaf));
        let rows = [Some(Opaque(fork)), None, Some(Opaque(Tree::Leaf))];
        let reader = <Option<Opaque<Tree>> as Row>::Reader::open(&column(&rows)).unwrap();
        let read: Vec<_> = (0..3).map(|i| <Option<Opaque<Tree>>>::own(reader.get(i))).collect();
        assert_eq!(read, rows);
    }

    #[test]
    fn bytes_that_are_no_value_are_refused_and_so_are_none() {
        let bytes: ArrayRef = Arc::new(BinaryArray::from(vec![&[0][..], &[7]]));
        let error = OpaqueReader::<Tree>::open(&bytes).err().unwrap();
        assert_eq!(error.class(), crate::Class::Data);
        assert!(error.to_string().contains("Tree`"), "{error}");
        for bytes in [&[0, 0][..], &[]] {
            let bytes: ArrayRef = Arc::new(BinaryArray::from(vec![bytes]));
            assert!(OpaqueReader::<Tree>::open(&bytes).is_err());
        }
    }
}
