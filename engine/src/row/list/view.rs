//! The view of a list: its items, wherever they are stored.
//!
//! A list may be owned by a closure's result, be in a column, or in the arena of a hash table of keys.
//! A view is a reference to the storage and a range, so it is `Copy` and lives for one call. The two
//! kinds of storage that matter for speed are variants of an enum; all others implement [`Items`].

use std::fmt;
use std::ops::Range;

use crate::row::{ColumnBuilder, ColumnReader, IntoRow, Row};

/// The view of a `Vec<T>`: reads like a slice whose items are views of `T`.
///
/// ```
/// # fn main() -> kiln::Result<()> {
/// let cx = kiln::Context::local(1);
/// let lists = cx.parallelize([vec![1_u64, 2], vec![]]);
/// let sums = lists.map(|list| list.iter().sum::<u64>());
/// assert_eq!(sums.collect()?, [3, 0]);
/// # Ok(()) }
/// ```
pub struct ListView<'a, T: Row>(Place<'a, T>);

enum Place<'a, T: Row> {
    Owned(&'a [T]),
    Column(&'a T::Reader, usize, usize),
    Other(&'a (dyn Items<T> + 'a), usize, usize),
}

/// Items that are stored in neither a slice of rows nor a column.
pub(crate) trait Items<T: Row> {
    /// The item at `index`, which must be in bounds.
    fn item(&self, index: usize) -> T::View<'_>;

    /// Appends the items of `range` to `builder`: one virtual call per list instead of one per item.
    fn push_to(&self, range: Range<usize>, builder: &mut T::Builder) {
        range.for_each(|index| builder.push(self.item(index)));
    }
}

impl<X: IntoRow> Items<X::Row> for Vec<X> {
    #[inline]
    fn item(&self, index: usize) -> <X::Row as Row>::View<'_> {
        self[index].as_view()
    }
}

impl<'a, T: Row> ListView<'a, T> {
    /// The items in `range` of a column.
    #[inline]
    pub(super) fn column(items: &'a T::Reader, range: Range<usize>) -> Self {
        ListView(Place::Column(items, range.start, range.end))
    }

    /// The items in `range` of `items`.
    #[inline]
    pub(crate) fn of(items: &'a (dyn Items<T> + 'a), range: Range<usize>) -> Self {
        ListView(Place::Other(items, range.start, range.end))
    }

    /// Number of items.
    #[inline]
    pub fn len(&self) -> usize {
        match self.0 {
            Place::Owned(items) => items.len(),
            Place::Column(_, start, end) | Place::Other(_, start, end) => end - start,
        }
    }

    /// Whether there are no items.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The item at `index`, or `None` past the end.
    #[inline]
    pub fn get(&self, index: usize) -> Option<T::View<'a>> {
        (index < self.len()).then(|| self.at(index))
    }

    /// All items in order.
    #[inline]
    pub fn iter(&self) -> ListIter<'a, T> {
        ListIter { list: *self, next: 0, end: self.len() }
    }

    /// An owned copy.
    pub fn to_vec(&self) -> Vec<T> {
        self.iter().map(T::own).collect()
    }

    #[inline]
    fn at(&self, index: usize) -> T::View<'a> {
        match self.0 {
            Place::Owned(items) => items[index].view(),
            Place::Column(items, start, _) => items.get(start + index),
            Place::Other(items, start, _) => items.item(start + index),
        }
    }

    #[inline]
    pub(super) fn push_to(self, builder: &mut T::Builder) {
        match self.0 {
            Place::Owned(items) => items.iter().for_each(|item| builder.push(item.view())),
            Place::Column(items, start, end) => (start..end).for_each(|i| builder.push(items.get(i))),
            Place::Other(items, start, end) => items.push_to(start..end, builder),
        }
    }
}

impl<'a, T: Row> From<&'a [T]> for ListView<'a, T> {
    #[inline]
    fn from(items: &'a [T]) -> Self {
        ListView(Place::Owned(items))
    }
}

impl<T: Row> Clone for ListView<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Row> Copy for ListView<'_, T> {}

impl<T: Row> Clone for Place<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Row> Copy for Place<'_, T> {}

impl<'a, T: Row<View<'a>: fmt::Debug>> fmt::Debug for ListView<'a, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a, T: Row> IntoIterator for ListView<'a, T> {
    type Item = T::View<'a>;
    type IntoIter = ListIter<'a, T>;
    #[inline]
    fn into_iter(self) -> ListIter<'a, T> {
        self.iter()
    }
}

/// The items of a [`ListView`], as views.
pub struct ListIter<'a, T: Row> {
    list: ListView<'a, T>,
    next: usize,
    end: usize,
}

impl<'a, T: Row> Iterator for ListIter<'a, T> {
    type Item = T::View<'a>;

    #[inline]
    fn next(&mut self) -> Option<T::View<'a>> {
        let index = self.next;
        (index < self.end).then(|| {
            self.next += 1;
            self.list.at(index)
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.end - self.next, Some(self.end - self.next))
    }

    /// Looks up the storage once instead of once per item. `sum`, `for_each` and `collect` use this.
    #[inline]
    fn fold<B, F: FnMut(B, T::View<'a>) -> B>(self, init: B, f: F) -> B {
        let range = self.next..self.end;
        match self.list.0 {
            Place::Owned(items) => items[range].iter().map(T::view).fold(init, f),
            Place::Column(items, start, _) => range.map(|i| items.get(start + i)).fold(init, f),
            Place::Other(items, start, _) => range.map(|i| items.item(start + i)).fold(init, f),
        }
    }
}

impl<T: Row> DoubleEndedIterator for ListIter<'_, T> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        (self.next < self.end).then(|| {
            self.end -= 1;
            self.list.at(self.end)
        })
    }
}

impl<T: Row> ExactSizeIterator for ListIter<'_, T> {}
