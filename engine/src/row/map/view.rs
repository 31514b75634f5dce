//! The view of a map: its entries in key order, owned or in a column.

use std::fmt;
use std::ops::Range;

use super::MapKind;
use crate::row::{ColumnReader, IntoRow, Key, Row};

type KeyView<'a, M> = <<M as MapKind>::Key as Row>::View<'a>;
type ValueView<'a, M> = <<M as MapKind>::Value as Row>::View<'a>;

/// The view of a `BTreeMap` or a `HashMap`.
///
/// ```
/// # fn main() -> kiln::Result<()> {
/// use std::collections::BTreeMap;
///
/// let cx = kiln::Context::local(1);
/// let maps = cx.parallelize([BTreeMap::from([("a".to_owned(), 1_u64), ("b".to_owned(), 2)])]);
/// let found = maps.map(|map| map.get("b"));
/// assert_eq!(found.collect()?, [Some(2)]);
/// # Ok(()) }
/// ```
pub struct MapView<'a, M: MapKind>(Place<'a, M>);

enum Place<'a, M: MapKind> {
    Owned(&'a M),
    Column {
        keys: &'a <M::Key as Row>::Reader,
        values: &'a <M::Value as Row>::Reader,
        start: usize,
        end: usize,
    },
}

impl<'a, M: MapKind> MapView<'a, M> {
    #[inline]
    pub(super) fn owned(map: &'a M) -> Self {
        MapView(Place::Owned(map))
    }

    /// The entries in `range` of two columns.
    #[inline]
    pub(super) fn column(
        keys: &'a <M::Key as Row>::Reader,
        values: &'a <M::Value as Row>::Reader,
        range: Range<usize>,
    ) -> Self {
        MapView(Place::Column { keys, values, start: range.start, end: range.end })
    }

    /// Number of entries.
    #[inline]
    pub fn len(&self) -> usize {
        match self.0 {
            Place::Owned(map) => map.count(),
            Place::Column { start, end, .. } => end - start,
        }
    }

    /// Whether there are no entries.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of `key`. In a column this scans all entries: for many look-ups in a large map use
    /// [`to_map`](Self::to_map).
    pub fn get(&self, key: KeyView<'_, M>) -> Option<ValueView<'a, M>> {
        match self.0 {
            Place::Owned(map) => map.find(&M::Key::own(key)).map(M::Value::view),
            Place::Column { keys, values, start, end } => (start..end)
                .rev()
                .find(|i| M::Key::same(M::Key::narrow(keys.get(*i)), M::Key::narrow(key)))
                .map(|i| values.get(i)),
        }
    }

    /// All entries in key order.
    pub fn iter(&self) -> MapIter<'a, M> {
        MapIter(match self.0 {
            Place::Owned(map) => Entries::Owned(map.entries()),
            Place::Column { keys, values, start, end } => Entries::Column(keys, values, start..end),
        })
    }

    /// An owned copy.
    pub fn to_map(&self) -> M {
        M::collect(self.iter().map(|(key, value)| (M::Key::own(key), M::Value::own(value))))
    }
}

impl<M: MapKind> Clone for MapView<'_, M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M: MapKind> Copy for MapView<'_, M> {}

impl<M: MapKind> Clone for Place<'_, M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M: MapKind> Copy for Place<'_, M> {}

impl<'a, M: MapKind> fmt::Debug for MapView<'a, M>
where
    KeyView<'a, M>: fmt::Debug,
    ValueView<'a, M>: fmt::Debug,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<M: MapKind> IntoRow for MapView<'_, M> {
    type Row = M;
    #[inline]
    fn as_view(&self) -> MapView<'_, M> {
        *self
    }
}

impl<'a, M: MapKind> IntoIterator for MapView<'a, M> {
    type Item = (KeyView<'a, M>, ValueView<'a, M>);
    type IntoIter = MapIter<'a, M>;
    fn into_iter(self) -> MapIter<'a, M> {
        self.iter()
    }
}

/// The entries of a [`MapView`], as views.
pub struct MapIter<'a, M: MapKind>(Entries<'a, M>);

enum Entries<'a, M: MapKind> {
    Owned(M::Entries<'a>),
    Column(&'a <M::Key as Row>::Reader, &'a <M::Value as Row>::Reader, Range<usize>),
}

impl<'a, M: MapKind> Iterator for MapIter<'a, M> {
    type Item = (KeyView<'a, M>, ValueView<'a, M>);

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            Entries::Owned(entries) => entries.next().map(|(key, value)| (key.view(), value.view())),
            Entries::Column(keys, values, range) => range.next().map(|i| (keys.get(i), values.get(i))),
        }
    }
}
