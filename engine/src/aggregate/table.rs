//! The hash table of the combine: open addressing, in the order of the hash.
//!
//! A key's home is given by the *high* bits of its hash, so a walk over the slots meets the keys
//! ordered by hash: one exchange partition behind another, without sorting. The stage after the
//! exchange therefore adds each task's rows in the order of its own table and walks through memory
//! instead of jumping. It multiplies the hash by the number of partitions first, which drops the
//! bits that its partition has used up. An entry holds hash, key and value in one place, so a hit
//! costs one cache miss at most. Where keys crowd in a region all the same, because they are those of
//! one partition of another exchange, the table gives up the order and spreads them. Which slots hold
//! something, and who drops it, is the business of `slots`; this file has no `unsafe`.

mod slots;

pub use self::slots::Occupied;

use self::slots::{Entry, free};
use crate::row::Key;

/// Keys with a value each.
pub struct Table<K: Key, A> {
    entries: Box<[Entry<K, A>]>,
    /// Hash bits to drop for a home; homes are `0..1 << (64 - shift)`, and a tail lies behind them.
    shift: u32,
    /// Of how many equal ranges of the hash the table expects one.
    scale: u64,
    /// What every hash is multiplied by before its home is taken: the scale, times [`CROWDED`] once
    /// keys have crowded.
    spread: u64,
    len: usize,
    arena: K::Arena,
}

/// Slots of an empty table, and what they may take: wide entries get fewer.
const FIRST_SLOTS: usize = 1 << 10;
const FIRST_BYTES: usize = 64 << 10;
/// Slots behind the homes, so that a probe never wraps; grown if keys share their hash.
const TAIL_SLOTS: usize = 64;
/// A table of so many bytes is taken to lie in the processor's cache.
const CACHE_BYTES: usize = 1 << 20;
/// A longer probe shows that keys crowd in a region: the table spreads them, and grows although it is
/// not full if that did not help.
const LONG_PROBE: usize = 48;
/// An odd number near the golden ratio of 2⁶⁴: its multiples lie evenly (Knuth, 6.4, Fibonacci hashing).
const CROWDED: u64 = 0x9e37_79b9_7f4a_7c15;

/// The exchange partition of a hash: its high bits, by multiplication.
#[inline]
pub fn partition_of(hash: u64, partitions: usize) -> usize {
    ((u128::from(hash) * partitions as u128) >> 64) as usize
}

impl<K: Key, A> Table<K, A> {
    /// An empty table with room for about `keys`. With a `scale` it expects the hashes of one of
    /// `scale` exchange partitions.
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

    /// Bytes of the slots of a new table with room for about `keys`.
    pub fn bytes_for(keys: usize) -> usize {
        (Self::homes_for(keys) + TAIL_SLOTS) * size_of::<Entry<K, A>>()
    }

    fn homes_for(keys: usize) -> usize {
        let least = (FIRST_BYTES / size_of::<Entry<K, A>>()).clamp(TAIL_SLOTS, FIRST_SLOTS);
        (keys * 5 / 3).max(least).next_power_of_two()
    }

    /// Keys held.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Bytes held by the slots and by long keys.
    pub fn size_bytes(&self) -> usize {
        size_of_val(&*self.entries) + K::arena_bytes(&self.arena)
    }

    /// Bytes that the table will hold, for a moment, if `keys` more make it grow; else what it holds.
    pub fn size_bytes_after(&self, keys: usize) -> usize {
        let slots = size_of_val(&*self.entries);
        let grows = (self.len + keys) * 5 > self.homes() * 3;
        self.size_bytes() + if grows { 2 * slots } else { 0 }
    }

    /// Looks at the places of `hashes` and at nothing else: the processor waits for several cache
    /// misses at once, where look-ups with other work between them would wait for each.
    #[inline]
    pub fn touch(&self, hashes: impl Iterator<Item = u64>) {
        if self.entries.len() * size_of::<Entry<K, A>>() > CACHE_BYTES {
            let seen = hashes.fold(0, |seen, hash| seen ^ self.entries[self.home(hash)].hash());
            std::hint::black_box(seen);
        }
    }

    /// Changes the value of `key` with `add`, or gives it the value `start` when it is new.
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

    /// The same for a key that is kept in a slot already, with its arena.
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

    /// All keys and values, ordered by hash unless they have crowded.
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

    /// Forgets all keys and keeps the slots, which are then no news to the system.
    pub fn clear(&mut self) {
        self.entries.iter_mut().for_each(Entry::clear);
        self.len = 0;
        self.arena = K::Arena::default();
    }

    /// Forgets the keys in the upper half of the hashes that the table expects, and expects the lower
    /// half from now on, with room for as many keys as it then holds twice over.
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

    /// Adds a key that is not there.
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

    /// Makes room behind the homes: many keys share the highest hashes, or one hash.
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
                // Rare, and only with keys of one hash: the tail doubles until it holds them.
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
