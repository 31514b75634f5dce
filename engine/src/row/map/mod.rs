//! `BTreeMap<K, V>` and `HashMap<K, V>`: a map as one value; the column is Arrow's `Map`.
//!
//! The builder takes maps as views ([`MapView`]) and makes a column of keys and one of values, with the
//! offset at which each map ends. Entries are written in key order, also those of a `HashMap`: equal
//! maps are equal bytes, and a closure sees the entries in the same order in every run. Columns from
//! other writers may have any order and may repeat a key, in which case the last entry wins. The reader
//! sorts and deduplicates their entries when it is opened, so that a view has the length and order of
//! the owned map.

mod kinds;
mod view;

pub use kinds::MapKind;
pub use view::{MapIter, MapView};

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int32Array, MapArray, StructArray};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Fields};

use super::column::typed;
use super::{ColumnBuilder, ColumnReader, Key, Row};
use crate::error::{Error, Result};

/// The Arrow type of a map `M`.
fn data_type<M: MapKind>() -> DataType {
    let entries = Field::new("entries", DataType::Struct(entry_fields::<M>()), false);
    DataType::Map(Arc::new(entries), false)
}

fn entry_fields<M: MapKind>() -> Fields {
    Fields::from(vec![
        Field::new("key", M::Key::data_type(), false),
        Field::new("value", M::Value::data_type(), M::Value::NULLABLE),
    ])
}

/// Builds a column of maps: at most 2^31 - 1 entries, which is far more than a batch may hold.
pub struct Maps<M: MapKind> {
    /// End offset of each map; the first one starts at 0.
    ends: Vec<i32>,
    keys: <M::Key as Row>::Builder,
    values: <M::Value as Row>::Builder,
}

impl<M: MapKind> Default for Maps<M> {
    fn default() -> Self {
        Maps { ends: Vec::new(), keys: Default::default(), values: Default::default() }
    }
}

impl<M: MapKind> ColumnBuilder for Maps<M> {
    type Row = M;
    fn push(&mut self, view: MapView<'_, M>) {
        view.iter().for_each(|(key, value)| {
            self.keys.push(key);
            self.values.push(value);
        });
        self.push_null();
    }
    fn push_null(&mut self) {
        self.ends.push(self.keys.len() as i32);
    }
    fn len(&self) -> usize {
        self.ends.len()
    }
    fn size_bytes(&self) -> usize {
        self.keys.size_bytes() + self.values.size_bytes() + size_of_val(&self.ends[..])
    }
    fn finish(&mut self) -> ArrayRef {
        assert!(self.keys.len() <= i32::MAX as usize, "the maps of a batch hold more than 2^31 entries");
        let mut offsets = Vec::with_capacity(self.ends.len() + 1);
        offsets.push(0);
        offsets.append(&mut self.ends);
        let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
        let columns = vec![self.keys.finish(), self.values.finish()];
        let entries = StructArray::new(entry_fields::<M>(), columns, None);
        let field = Field::new("entries", entries.data_type().clone(), false);
        Arc::new(MapArray::new(Arc::new(field), offsets, entries, None, false))
    }
}

/// Reads a column of maps.
pub struct MapReader<M: MapKind> {
    offsets: OffsetBuffer<i32>,
    keys: <M::Key as Row>::Reader,
    values: <M::Value as Row>::Reader,
}

impl<M: MapKind> ColumnReader for MapReader<M> {
    type Row = M;
    fn open(array: &ArrayRef) -> Result<Self> {
        let array: MapArray = typed(array, &data_type::<M>())?;
        if !M::Value::NULLABLE && array.values().null_count() > 0 {
            return Err(Error::data("a map has a value that is null")
                .help("if values may be absent, let them be `Option`s: `BTreeMap<_, Option<_>>`"));
        }
        let keys = <M::Key as Row>::Reader::open(array.keys())?;
        if is_ordered::<M>(&keys, array.offsets()) {
            let (offsets, values) = (array.offsets().clone(), ColumnReader::open(array.values())?);
            return Ok(MapReader { offsets, keys, values });
        }
        let (entries, offsets) = in_order::<M>(&keys, array.offsets());
        let taken = |column: &ArrayRef| take(column, &entries, None);
        let (keys, values) = (taken(array.keys())?, taken(array.values())?);
        Ok(MapReader { offsets, keys: ColumnReader::open(&keys)?, values: ColumnReader::open(&values)? })
    }
    #[inline]
    fn get(&self, index: usize) -> MapView<'_, M> {
        let range = self.offsets[index] as usize..self.offsets[index + 1] as usize;
        MapView::column(&self.keys, &self.values, range)
    }
}

/// Whether the keys of every map are strictly ascending, as in columns that Kiln wrote.
fn is_ordered<M: MapKind>(keys: &<M::Key as Row>::Reader, offsets: &[i32]) -> bool {
    offsets.windows(2).all(|map| {
        (map[0] as usize + 1..map[1] as usize)
            .all(|i| M::Key::compare(keys.get(i - 1), M::Key::narrow(keys.get(i))).is_lt())
    })
}

/// The indices of the entries in key order, without all but the last entry of a repeated key, and the
/// new offsets.
fn in_order<M: MapKind>(keys: &<M::Key as Row>::Reader, offsets: &[i32]) -> (Int32Array, OffsetBuffer<i32>) {
    let compare =
        |a: i32, b: i32| M::Key::compare(keys.get(a as usize), M::Key::narrow(keys.get(b as usize)));
    let (mut entries, mut lengths) = (Vec::new(), Vec::new());
    for map in offsets.windows(2) {
        // Reversed, so that the stable sort puts the last entry of a key first, which `dedup_by` keeps.
        let mut order: Vec<i32> = (map[0]..map[1]).rev().collect();
        order.sort_by(|a, b| compare(*a, *b));
        order.dedup_by(|b, a| compare(*a, *b).is_eq());
        lengths.push(order.len());
        entries.append(&mut order);
    }
    (Int32Array::from(entries), OffsetBuffer::from_lengths(lengths))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};

    use super::*;

    fn column<T: Row>(rows: &[T]) -> ArrayRef {
        let mut builder = T::Builder::default();
        rows.iter().for_each(|row| builder.push(row.view()));
        builder.finish()
    }

    fn read<T: Row>(column: &ArrayRef) -> Vec<T> {
        let reader = T::Reader::open(column).unwrap();
        (0..column.len()).map(|i| T::own(reader.get(i))).collect()
    }

    type Tree = BTreeMap<String, Option<u64>>;

    fn trees() -> [Tree; 3] {
        let tree =
            |entries: &[(&str, Option<u64>)]| entries.iter().map(|(k, v)| ((*k).to_owned(), *v)).collect();
        [tree(&[("a", Some(1)), ("b", None)]), tree(&[]), tree(&[("", Some(0))])]
    }

    #[test]
    fn maps_come_back_as_they_went_in() {
        assert_eq!(read::<Tree>(&column(&trees())), trees());
        let options = trees().map(|tree| Some(tree).filter(|tree| !tree.is_empty()));
        assert_eq!(read::<Option<Tree>>(&column(&options)), options);
        let lists = [HashMap::from([((1_i32, true), vec![1_u8, 2]), ((0, false), vec![])])];
        assert_eq!(read::<HashMap<(i32, bool), Vec<u8>>>(&column(&lists)), lists);
    }

    #[test]
    fn equal_hash_maps_are_equal_columns_and_those_of_a_tree() {
        let entries = || (0..100_u64).map(|n| (n, n * n));
        let [one, other] = [0, 1].map(|_| column(&[entries().collect::<HashMap<_, _>>()]));
        assert_eq!(&one, &other);
        assert_eq!(&one, &column(&[entries().collect::<BTreeMap<_, _>>()]));
    }

    #[test]
    fn a_view_finds_a_key_wherever_the_map_lies() {
        let trees = trees();
        let hashed: HashMap<String, Option<u64>> = trees[0].clone().into_iter().collect();
        let column = column(&trees);
        let reader = MapReader::<Tree>::open(&column).unwrap();
        for (found, absent) in [
            (trees[0].view().get("b"), trees[0].view().get("c")),
            (hashed.view().get("b"), hashed.view().get("c")),
            (reader.get(0).get("b"), reader.get(0).get("c")),
        ] {
            assert_eq!((found, absent), (Some(None), None));
        }
    }

    #[test]
    fn a_view_of_a_column_from_elsewhere_is_that_of_the_owned_map() {
        let keys: ArrayRef = Arc::new(Int32Array::from(vec![7, 3, 1, 3, 1, 2, 2]));
        let values: ArrayRef = Arc::new(Int32Array::from_iter_values(0..7));
        type Map = BTreeMap<i32, i32>;
        let entries = StructArray::new(entry_fields::<Map>(), vec![keys, values], None);
        let field = Field::new("entries", entries.data_type().clone(), false);
        let offsets = OffsetBuffer::from_lengths([4, 0, 1, 2]);
        let column: ArrayRef = Arc::new(MapArray::new(Arc::new(field), offsets, entries, None, false));
        let expected =
            [Map::from([(1, 2), (3, 3), (7, 0)]), Map::new(), Map::from([(1, 4)]), Map::from([(2, 6)])];
        assert_eq!(read::<Map>(&column), expected);
        let reader = MapReader::<Map>::open(&column).unwrap();
        for (row, map) in expected.iter().enumerate() {
            let view = reader.get(row);
            assert_eq!(view.len(), map.len());
            assert!(view.iter().eq(map.view().iter()), "{view:?} is not {map:?}");
        }
    }

    #[test]
    fn a_null_value_is_refused_where_values_are_no_options() {
        let error = MapReader::<BTreeMap<String, u64>>::open(&column(&trees())).err().unwrap();
        assert!(error.to_string().contains("BTreeMap<_, Option<_>>"), "{error}");
    }
}
