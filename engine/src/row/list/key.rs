//! Lists as keys: compared item by item, like slices. A table stores the slots of a list's items
//! contiguously.

use std::cmp::Ordering;

use super::view::{Items, ListView};
use crate::row::{Key, mix};

/// The range of a stored list's slots in the arena.
#[derive(Clone, Copy)]
pub struct ListSlot {
    start: usize,
    end: usize,
}

/// The slots of all stored lists, and the arena of their items.
pub struct ListArena<K: Key> {
    slots: Vec<K::Slot>,
    items: K::Arena,
}

impl<K: Key> Default for ListArena<K> {
    fn default() -> Self {
        ListArena { slots: Vec::new(), items: K::Arena::default() }
    }
}

impl<K: Key> Items<K> for ListArena<K> {
    fn item(&self, index: usize) -> K::View<'_> {
        K::load(&self.slots[index], &self.items)
    }
}

/// Ordered like slices: by the first items that differ; a prefix sorts first.
impl<K: Key> Key for Vec<K> {
    type Slot = ListSlot;
    type Arena = ListArena<K>;

    fn hash(view: ListView<'_, K>) -> u64 {
        let start = view.len() as u64;
        view.iter().fold(start, |hash, item| mix(hash ^ K::hash(item), 0x5899_65cc_7537_4cc3))
    }

    fn same(a: ListView<'_, K>, b: ListView<'_, K>) -> bool {
        a.len() == b.len() && pairs(a, b).all(|(a, b)| K::same(a, b))
    }

    fn compare(a: ListView<'_, K>, b: ListView<'_, K>) -> Ordering {
        let differ = pairs(a, b).map(|(a, b)| K::compare(a, b)).find(|order| order.is_ne());
        differ.unwrap_or_else(|| a.len().cmp(&b.len()))
    }

    fn store(view: ListView<'_, K>, arena: &mut ListArena<K>) -> ListSlot {
        let start = arena.slots.len();
        arena.slots.reserve(view.len());
        for item in view {
            arena.slots.push(K::store(item, &mut arena.items));
        }
        ListSlot { start, end: arena.slots.len() }
    }

    #[inline]
    fn load<'a>(slot: &'a ListSlot, arena: &'a ListArena<K>) -> ListView<'a, K> {
        ListView::of(arena, slot.start..slot.end)
    }

    fn arena_bytes(arena: &ListArena<K>) -> usize {
        arena.slots.capacity() * size_of::<K::Slot>() + K::arena_bytes(&arena.items)
    }
}

/// Pairs of items of two lists, each narrowed so that both have the same lifetime.
fn pairs<'a, K: Key>(
    a: ListView<'a, K>,
    b: ListView<'a, K>,
) -> impl Iterator<Item = (K::View<'a>, K::View<'a>)> {
    a.iter().map(K::narrow).zip(b.iter().map(K::narrow))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::Row;

    #[test]
    fn lists_are_ordered_like_slices_and_kept_whole() {
        let text = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
        let lists = [text(&[]), text(&["a"]), text(&["a", "a longer word than fits a slot"]), text(&["b"])];
        let mut arena = ListArena::<String>::default();
        let slots: Vec<_> = lists.iter().map(|list| Vec::store(list.view(), &mut arena)).collect();
        for (i, (slot, a)) in slots.iter().zip(&lists).enumerate() {
            assert_eq!(Vec::own(Vec::load(slot, &arena)), *a);
            for (j, b) in lists.iter().enumerate() {
                assert_eq!(Vec::compare(a.view(), b.view()), i.cmp(&j));
                assert_eq!(Vec::matches(slot, &arena, b.view()), i == j);
                assert_eq!(Vec::<String>::hash(a.view()) == Vec::<String>::hash(b.view()), i == j);
            }
        }
    }
}
