//! Rows that can be keys: hashed, compared and kept in a table, always through their views.

use std::cmp::Ordering;

use super::Row;

/// A row that can be a key.
///
/// A table keeps each key as a small `Copy` slot; what does not fit lies in the table's arena. So
/// a hit touches no allocator, and most comparisons touch nothing but the slot.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a key",
    label = "not a key",
    note = "keys are numbers, `bool`, `String`, `kiln::Bytes`, `kiln::Decimal`, dates and timestamps, enums with `#[derive(kiln::Row)]`, structs with `#[derive(kiln::Row)] #[row(key)]`, and `Option`, `Vec`, `Box`, `Reverse` and tuples of keys",
    note = "a map or an `Opaque` value is none: take a field of it with `key_by(..)`",
    note = "a closure that returns a key that borrows from its row goes to the `_to` form of the method, with the key's type named: `sort_by_to::<String>(..)`, `top_to::<(u64, String)>(..)`"
)]
pub trait Key: Row {
    /// What a table keeps of a key, beside the arena.
    type Slot: Copy + Send + 'static;
    /// Where the table's long keys lie.
    type Arena: Default + Send + 'static;

    /// A 64-bit hash, equal on every executor and in every run; all its bits are usable.
    fn hash(view: Self::View<'_>) -> u64;

    /// Whether a hash is made in less time than it takes to move one.
    const HASH_IS_CHEAP: bool = false;

    /// Whether two keys are one.
    fn same(a: Self::View<'_>, b: Self::View<'_>) -> bool;

    /// The order in which `sort_by_key` puts keys.
    fn compare(a: Self::View<'_>, b: Self::View<'_>) -> Ordering;

    /// Keeps a key.
    fn store(view: Self::View<'_>, arena: &mut Self::Arena) -> Self::Slot;

    /// A kept key.
    fn load<'a>(slot: &'a Self::Slot, arena: &'a Self::Arena) -> Self::View<'a>;

    /// Bytes held by an arena.
    fn arena_bytes(arena: &Self::Arena) -> usize;

    /// The first bytes of a key's place in the order: of two keys the larger never has the smaller
    /// prefix. A sort compares most keys by it alone.
    #[inline]
    fn prefix(_: Self::View<'_>) -> u64 {
        0
    }

    /// Whether keys with equal prefixes are equal.
    const PREFIX_IS_KEY: bool = false;

    /// Whether the kept key is `view`.
    #[inline]
    fn matches(slot: &Self::Slot, arena: &Self::Arena, view: Self::View<'_>) -> bool {
        Self::same(Self::load(slot, arena), view)
    }

    /// Whether two kept keys, each with its arena, are one.
    #[inline]
    fn slots_match(a: (&Self::Slot, &Self::Arena), b: (&Self::Slot, &Self::Arena)) -> bool {
        Self::matches(a.0, a.1, Self::load(b.0, b.1))
    }

    /// Keeps a kept key in another arena.
    #[inline]
    fn store_slot(from: (&Self::Slot, &Self::Arena), arena: &mut Self::Arena) -> Self::Slot {
        Self::store(Self::load(from.0, from.1), arena)
    }
}

/// Multiplies to 128 bits and folds the halves: the mixing step of wyhash (Wang Yi, 2019).
#[inline]
pub fn mix(a: u64, b: u64) -> u64 {
    let product = u128::from(a ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(u128::from(b));
    (product as u64) ^ ((product >> 64) as u64)
}
