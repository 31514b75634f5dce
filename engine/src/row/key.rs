//! Row types that can be keys: hashed, compared and stored in a hash table, always through their views.

use std::cmp::Ordering;

use super::Row;

/// A row that can be a key.
///
/// A table stores each key as a small `Copy` slot; longer keys are in the table's arena. A hit
/// therefore allocates nothing, and most comparisons read only the slot.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a key",
    label = "not a key",
    note = "keys are numbers, `bool`, `String`, `kiln::Bytes`, `kiln::Decimal`, dates and timestamps, enums with `#[derive(kiln::Row)]`, structs with `#[derive(kiln::Row)] #[row(key)]`, and `Option`, `Vec`, `Box`, `Reverse` and tuples of keys",
    note = "a map or an `Opaque` value is none: take a field of it with `key_by(..)`",
    note = "a closure that returns a key that borrows from its row goes to the `_to` form of the method, with the key's type named: `sort_by_to::<String>(..)`, `top_to::<(u64, String)>(..)`"
)]
pub trait Key: Row {
    /// The part of a key that is stored in the table itself, not in the arena.
    type Slot: Copy + Send + 'static;
    /// Storage of a table's long keys.
    type Arena: Default + Send + 'static;

    /// A 64-bit hash, the same on every executor and in every run; all its bits are well mixed.
    fn hash(view: Self::View<'_>) -> u64;

    /// Whether computing a hash again is cheaper than moving it with the row.
    const HASH_IS_CHEAP: bool = false;

    /// Whether two keys are equal.
    fn same(a: Self::View<'_>, b: Self::View<'_>) -> bool;

    /// The order that `sort_by_key` uses.
    fn compare(a: Self::View<'_>, b: Self::View<'_>) -> Ordering;

    /// Stores a key.
    fn store(view: Self::View<'_>, arena: &mut Self::Arena) -> Self::Slot;

    /// The view of a stored key.
    fn load<'a>(slot: &'a Self::Slot, arena: &'a Self::Arena) -> Self::View<'a>;

    /// Size of an arena in bytes.
    fn arena_bytes(arena: &Self::Arena) -> usize;

    /// A number that sorts like the key: the larger of two keys never has the smaller prefix. A sort
    /// compares most keys by their prefixes alone.
    #[inline]
    fn prefix(_: Self::View<'_>) -> u64 {
        0
    }

    /// Whether keys with equal prefixes are equal.
    const PREFIX_IS_KEY: bool = false;

    /// Whether the stored key equals `view`.
    #[inline]
    fn matches(slot: &Self::Slot, arena: &Self::Arena, view: Self::View<'_>) -> bool {
        Self::same(Self::load(slot, arena), view)
    }

    /// Whether two stored keys, each with its arena, are equal.
    #[inline]
    fn slots_match(a: (&Self::Slot, &Self::Arena), b: (&Self::Slot, &Self::Arena)) -> bool {
        Self::matches(a.0, a.1, Self::load(b.0, b.1))
    }

    /// Copies a stored key to another arena.
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
