//! Hash table for aggregation: open addressing, with entries in hash order.
//!
//! The *high* bits of a key's hash determine its home slot, so iteration visits the keys in hash order:
//! one exchange partition after another, without sorting. The stage after the exchange adds each task's
//! rows in the order of that task's table, so it walks through its own table instead of jumping. It
//! first multiplies the hash by the number of partitions, which drops the bits that are equal within
//! its partition. An entry holds hash, key and value together, so a hit costs at most one cache miss.
//! If keys still crowd in one region, because they belong to one partition of another exchange, the
//! table gives up hash order and spreads them. `slots` holds the `unsafe` code: which slots are
//! occupied, and when their values are dropped.

mod slots;

pub use self::slots::Occupied;

use self::slots::{Entry, free};
use crate::row::Key;

/// A map of keys to values.
pub struct Table<K: Key, A> {
    entries: Box<[Entry<K, A>]>,
    /// The home of a key is its multiplied hash, shifted right by `shift`. There are `1 << (64 -
    /// shift)` homes, followed by a tail of more slots.
    shift: u32,
    /// Number of equal ranges of all hashes, of which the table expects one.
    scale: u64,
    /// Factor by which every hash is multiplied to find its home: the scale, and also [`CROWDED`] once
    /// keys have crowded.
    spread: u64,
    len: usize,
    arena: K::Arena,
}

/// Upper limits of the slots of an empty table and of their bytes: wide entries get fewer slots.
const FIRST_SLOTS: usize = 1 << 10;
const FIRST_BYTES: usize = 64 << 10;
/// Slots after the last home, so that a probe never wraps around. Their number grows when keys share a
/// hash.
const TAIL_SLOTS: usize = 64;
/// Tables up to this size are assumed to fit in the processor's cache.
const CACHE_BYTES: usize = 1 << 20;
/// A longer probe means that keys crowd in one region. The table spreads them; if probes are still
/// long, it grows early.
const LONG_PROBE: usize = 48;
/// An odd number near 2⁶⁴ divided by the golden ratio, whose multiples are evenly spread (Knuth, 6.4,
/// Fibonacci hashing).
const CROWDED: u64 = 0x9e37_79b9_7f4a_7c15;

/// The exchange partition of a hash: its high bits, computed by a multiplication.
#[inline]
pub fn partition_of(hash: u64, partitions: usize) -> usize {
    ((u128::from(hash) * partitions as u128) >> 64) as usize
}

impl<K: Key, A> Table<K, A> {
    /// An empty table with room for about `keys`. It expects the hashes of one of `scale` exchange
    /// partitions.
    pub fn new(keys: usize, scale: usize) -> Self {
        let homes = Self::homes_for(keys);
        Table {
            entries: free(homes + TAIL_SLOTS),
            shift: 64 - homes.trailing_zeros(),
            scale: scale as u64,
            spread: scale as u64,
            len: 0,
            arena: K::Arena::default(),
        }
    }

    /// Size of the slots of a new table with room for about `keys`.
    pub fn bytes_for(keys: usize) -> usize {
        (Self::homes_for(keys) + TAIL_SLOTS) * size_of::<Entry<K, A>>()
    }

    fn homes_for(keys: usize) -> usize {
        let least = (FIRST_BYTES / size_of::<Entry<K, A>>()).clamp(TAIL_SLOTS, FIRST_SLOTS);
        (keys * 5 / 3).max(least).next_power_of_two()
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Size of the slots and of long keys.
    pub fn size_bytes(&self) -> usize {
        size_of_val(&*self.entries) + K::arena_bytes(&self.arena)
    }

    /// Peak size while the table takes `keys` more keys: it holds the old and the new slots for a
    /// moment if it grows.
    pub fn size_bytes_after(&self, keys: usize) -> usize {
        let slots = size_of_val(&*self.entries);
        let grows = (self.len + keys) * 5 > self.homes() * 3;
        self.size_bytes() + if grows { 2 * slots } else { 0 }
    }

    /// Prefetches the home slots of `hashes`. Without other work in between, the processor overlaps
    /// several cache misses; otherwise it would wait for each of them.
    #[inline]
    pub fn touch(&self, hashes: impl Iterator<Item = u64>) {
        if self.entries.len() * size_of::<Entry<K, A>>() > CACHE_BYTES {
            let seen = hashes.fold(0, |seen, hash| seen ^ self.entries[self.home(hash)].hash());
            std::hint::black_box(seen);
        }
    }

    /// Updates the value of `key` with `add`, or inserts `start()` if the key is new.
    #[inline]
    pub fn upsert(
        &mut self,
        hash: u64,
        key: K::View<'_>,
        start: impl FnOnce() -> A,
        add: impl FnOnce(Occupied<'_, A>),
    ) {
        let same = |slot: &K::Slot, arena: &K::Arena| K::matches(slot, arena, key);
        self.upsert_by(hash, same, |arena| K::store(key, arena), start, add);
    }

    /// As [`Table::upsert`], for a key that is already in a slot, with its arena.
    #[inline]
    pub fn upsert_slot(
        &mut self,
        hash: u64,
        key: (&K::Slot, &K::Arena),
        start: impl FnOnce() -> A,
        add: impl FnOnce(Occupied<'_, A>),
    ) {
        let same = |slot: &K::Slot, arena: &K::Arena| K::slots_match((slot, arena), key);
        self.upsert_by(hash, same, |arena| K::store_slot(key, arena), start, add);
    }

    #[inline]
    fn upsert_by(
        &mut self,
        hash: u64,
        same: impl Fn(&K::Slot, &K::Arena) -> bool,
        store: impl FnOnce(&mut K::Arena) -> K::Slot,
        start: impl FnOnce() -> A,
        add: impl FnOnce(Occupied<'_, A>),
    ) {
        let hash = hash.max(1);
        let home = self.home(hash);
        let mut at = home;
        loop {
            let entry = &mut self.entries[at];
            if entry.hash() == hash {
                if let Some((kept, value)) = entry.occupied()
                    && same(kept, &self.arena)
                {
                    return add(value);
                }
            } else if entry.hash() == 0 {
                let (value, slot) = (start(), store(&mut self.arena));
                return self.insert(at, at - home, hash, slot, value);
            }
            at += 1;
            if at == self.entries.len() {
                self.lengthen();
                at = self.home(hash);
            }
        }
    }

    /// All keys and values, in hash order unless they have crowded.
    pub fn iter(&self) -> impl Iterator<Item = (u64, K::View<'_>, &A)> {
        self.entries.iter().filter_map(|entry| {
            let (key, value) = entry.get()?;
            Some((entry.hash(), K::load(key, &self.arena), value))
        })
    }

    /// The value of `key`.
    #[inline]
    pub fn get(&self, hash: u64, key: K::View<'_>) -> Option<&A> {
        let hash = hash.max(1);
        for entry in &self.entries[self.home(hash)..] {
            let (kept, value) = entry.get()?;
            if entry.hash() == hash && K::matches(kept, &self.arena, key) {
                return Some(value);
            }
        }
        None
    }

    /// Removes all keys but keeps the slots, so that their pages are not faulted in again.
    pub fn clear(&mut self) {
        self.entries.iter_mut().for_each(Entry::clear);
        self.len = 0;
        self.arena = K::Arena::default();
    }

    /// Removes the keys in the upper half of the hash range that the table expects. From now on it
    /// expects the lower half, with room for twice as many keys as it still holds.
    pub fn keep_lower_half(&mut self) {
        let scale = self.scale;
        let stays =
            move |entry: &Entry<K, A>| entry.hash() != 0 && entry.hash().wrapping_mul(scale) >> 63 == 0;
        let kept = self.entries.iter().filter(|entry| stays(entry)).count();
        let mut old = Table::new(2 * kept, scale.wrapping_mul(2) as usize);
        std::mem::swap(self, &mut old);
        for (hash, key, value) in old.entries.iter_mut().filter(|e| stays(e)).filter_map(Entry::take) {
            let key = K::store(K::load(&key, &old.arena), &mut self.arena);
            self.place(hash, key, value);
        }
    }

    /// Inserts a key that is not in the table.
    fn place(&mut self, hash: u64, key: K::Slot, value: A) {
        let home = self.home(hash);
        let mut at = home;
        while self.entries[at].hash() != 0 {
            at += 1;
            if at == self.entries.len() {
                self.lengthen();
                at = self.home(hash);
            }
        }
        self.insert(at, at - home, hash, key, value);
    }

    #[inline]
    fn home(&self, hash: u64) -> usize {
        (hash.wrapping_mul(self.spread) >> self.shift) as usize
    }

    #[inline(never)]
    fn insert(&mut self, at: usize, probe: usize, hash: u64, key: K::Slot, value: A) {
        self.entries[at].fill(hash, key, value);
        self.len += 1;
        let homes = self.homes();
        let is_crowded = probe > LONG_PROBE;
        if is_crowded && self.spread == self.scale {
            self.spread = self.scale.wrapping_mul(CROWDED);
            self.rebuild(homes, TAIL_SLOTS);
        } else if self.len * 5 > homes * 3 || (is_crowded && self.len * 16 > homes) {
            self.rebuild(homes * 2, TAIL_SLOTS);
        }
    }

    fn homes(&self) -> usize {
        1 << (64 - self.shift)
    }

    /// Lengthens the tail, because many keys share the highest hashes or a single hash.
    #[cold]
    fn lengthen(&mut self) {
        let homes = self.homes();
        let tail = self.entries.len() - homes;
        self.rebuild(homes, tail * 2);
    }

    #[cold]
    fn rebuild(&mut self, homes: usize, tail: usize) {
        let old = std::mem::replace(&mut self.entries, free(homes + tail));
        self.shift = 64 - homes.trailing_zeros();
        for entry in old {
            if entry.hash() == 0 {
                continue;
            }
            let mut at = self.home(entry.hash());
            while self.entries.get(at).is_some_and(|e| e.hash() != 0) {
                at += 1;
            }
            if at == self.entries.len() {
                // Rare, and only when many keys share a hash: the tail doubles until it holds them.
                let mut longer = std::mem::take(&mut self.entries).into_vec();
                longer.extend(free(tail.max(longer.len() - homes)));
                self.entries = longer.into_boxed_slice();
            }
            self.entries[at] = entry;
        }
    }
}

#[cfg(test)]
mod soundness;
#[cfg(test)]
mod tests;
