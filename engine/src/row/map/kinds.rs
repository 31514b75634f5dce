//! The two maps of the standard library as rows: their common trait and its implementations.

use std::collections::{BTreeMap, HashMap, btree_map};
use std::hash::{BuildHasher, Hash};

use arrow::datatypes::DataType;

use super::{MapReader, MapView, Maps};
use crate::row::{IntoRow, Key, Required, Row};

/// A map that can be a row.
pub trait MapKind: for<'a> Row<View<'a> = MapView<'a, Self>> {
    /// The keys.
    type Key: Key;
    /// The values.
    type Value: Row;
    /// The entries in the order of their keys.
    type Entries<'a>: Iterator<Item = (&'a Self::Key, &'a Self::Value)>;

    /// Number of entries.
    fn count(&self) -> usize;
    /// The entries in the order of their keys.
    fn entries(&self) -> Self::Entries<'_>;
    /// The value of `key`.
    fn find(&self, key: &Self::Key) -> Option<&Self::Value>;
    /// Builds a map of `entries`; the last entry of a repeated key wins.
    fn collect(entries: impl Iterator<Item = (Self::Key, Self::Value)>) -> Self;
}

impl<K: Key + Ord, V: Row> MapKind for BTreeMap<K, V> {
    type Key = K;
    type Value = V;
    type Entries<'a> = btree_map::Iter<'a, K, V>;
    fn count(&self) -> usize {
        self.len()
    }
    fn entries(&self) -> Self::Entries<'_> {
        self.iter()
    }
    fn find(&self, key: &K) -> Option<&V> {
        self.get(key)
    }
    fn collect(entries: impl Iterator<Item = (K, V)>) -> Self {
        entries.collect()
    }
}

impl<K, V, S> MapKind for HashMap<K, V, S>
where
    K: Key + Hash + Eq,
    V: Row,
    S: BuildHasher + Default + Send + Sync + 'static,
{
    type Key = K;
    type Value = V;
    type Entries<'a> = std::vec::IntoIter<(&'a K, &'a V)>;
    fn count(&self) -> usize {
        self.len()
    }
    fn entries(&self) -> Self::Entries<'_> {
        let mut entries: Vec<_> = self.iter().collect();
        entries.sort_unstable_by(|(a, _), (b, _)| K::compare(a.view(), b.view()));
        entries.into_iter()
    }
    fn find(&self, key: &K) -> Option<&V> {
        self.get(key)
    }
    fn collect(entries: impl Iterator<Item = (K, V)>) -> Self {
        entries.collect()
    }
}

macro_rules! row {
    ([$($generics:tt)*] $map:ty) => {
        impl<$($generics)*> Row for $map {
            type View<'a> = MapView<'a, Self>;
            type Builder = Maps<Self>;
            type Reader = MapReader<Self>;
            type Nullability = Required;
            fn own(view: MapView<'_, Self>) -> Self {
                view.to_map()
            }
            #[inline]
            fn view(&self) -> MapView<'_, Self> {
                MapView::owned(self)
            }
            #[inline]
            fn narrow<'short, 'long: 'short>(view: MapView<'long, Self>) -> MapView<'short, Self> {
                view
            }
            fn data_type() -> DataType {
                super::data_type::<Self>()
            }
        }

        impl<$($generics)*> IntoRow for $map {
            type Row = Self;
            #[inline]
            fn as_view(&self) -> MapView<'_, Self> {
                self.view()
            }
        }
    };
}

row!([K: Key + Ord, V: Row] BTreeMap<K, V>);
row!([K: Key + Hash + Eq, V: Row, S: BuildHasher + Default + Send + Sync + 'static] HashMap<K, V, S>);
