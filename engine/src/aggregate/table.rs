//! The hash table of the combine: open addressing, in the order of the hash.
//!
//! A key's home is given by the *high* bits of its hash, so a walk over the slots meets the keys
//! ordered by hash: one exchange partition behind another, without sorting. The stage after the
//! exchange therefore adds each task's rows in the order of its own table and walks through memory
//! instead of jumping. It multiplies the hash by the number of partitions first, which drops the
//! bits that its partition has used up. An entry holds hash, key and value in one place, so a hit
//! costs one cache miss at most. Where keys crowd in a region all the same, because they are those of
//! one partition of another exchange, the table gives up the order and spreads them. All `unsafe` of
//! the aggregation is in this file.

use std::mem::{MaybeUninit, needs_drop};

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

/// Free when the hash is 0; else key and value are there.
struct Entry<K: Key, A> {
    hash: u64,
    key: MaybeUninit<K::Slot>,
    value: MaybeUninit<A>,
}

/// Slots of an empty table.
const FIRST_SLOTS: usize = 1 << 10;
/// Slots behind the homes, so that a probe never wraps; grown if keys share their hash.
const TAIL_SLOTS: usize = 64;
/// A table of so many bytes is taken to lie in the processor's cache.
const CACHE_BYTES: usize = 1 << 20;
/// The unit of advice about memory.
const PAGE_BYTES: usize = 4096;
/// Smaller tables are left in ordinary pages.
const HUGE_PAGE_BYTES: usize = 2 << 20;
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
        (keys * 5 / 3).next_power_of_two().max(FIRST_SLOTS)
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
            let seen = hashes.fold(0, |seen, hash| seen ^ self.entries[self.home(hash)].hash);
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
        add: impl FnOnce(&mut A),
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
        add: impl FnOnce(&mut A),
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
        add: impl FnOnce(&mut A),
    ) {
        let hash = hash.max(1);
        let home = self.home(hash);
        let mut at = home;
        loop {
            let entry = &mut self.entries[at];
            if entry.hash == hash {
                // SAFETY: a hash other than 0 is written after key and value.
                let (kept, value) = unsafe { (entry.key.assume_init_ref(), entry.value.assume_init_mut()) };
                if same(kept, &self.arena) {
                    return add(value);
                }
            } else if entry.hash == 0 {
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
        self.entries.iter().filter(|e| e.hash != 0).map(|e| {
            // SAFETY: a hash other than 0 is written after key and value.
            let (key, value) = unsafe { (e.key.assume_init_ref(), e.value.assume_init_ref()) };
            (e.hash, K::load(key, &self.arena), value)
        })
    }

    /// The value of `key`.
    #[inline]
    pub fn get(&self, hash: u64, key: K::View<'_>) -> Option<&A> {
        let hash = hash.max(1);
        for entry in &self.entries[self.home(hash)..] {
            if entry.hash == 0 {
                return None;
            }
            if entry.hash == hash {
                // SAFETY: a hash other than 0 is written after key and value.
                let (kept, value) = unsafe { (entry.key.assume_init_ref(), entry.value.assume_init_ref()) };
                if K::matches(kept, &self.arena, key) {
                    return Some(value);
                }
            }
        }
        None
    }

    /// Forgets all keys and keeps the slots, which are then no news to the system.
    pub fn clear(&mut self) {
        self.drop_values();
        self.entries.iter_mut().for_each(|entry| entry.hash = 0);
        self.len = 0;
        self.arena = K::Arena::default();
    }

    /// Forgets the keys in the upper half of the hashes that the table expects, and expects the lower
    /// half from now on, with room for as many keys as it then holds twice over.
    pub fn keep_lower_half(&mut self) {
        let scale = self.scale;
        let stays = move |entry: &Entry<K, A>| entry.hash != 0 && entry.hash.wrapping_mul(scale) >> 63 == 0;
        let kept = self.entries.iter().filter(|entry| stays(entry)).count();
        let mut old = Table::new(2 * kept, scale.wrapping_mul(2) as usize);
        std::mem::swap(self, &mut old);
        for entry in old.entries.iter_mut().filter(|entry| stays(entry)) {
            // SAFETY: a hash other than 0 is written after key and value; with the hash gone nobody
            // takes or drops the value again.
            let (key, value) = unsafe { (entry.key.assume_init_ref(), entry.value.assume_init_read()) };
            let key = K::store(K::load(key, &old.arena), &mut self.arena);
            self.place(entry.hash, key, value);
            entry.hash = 0;
        }
    }

    /// Adds a key that is not there.
    fn place(&mut self, hash: u64, key: K::Slot, value: A) {
        let home = self.home(hash);
        let mut at = home;
        while self.entries[at].hash != 0 {
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
        let entry = &mut self.entries[at];
        entry.key.write(key);
        entry.value.write(value);
        entry.hash = hash;
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
            if entry.hash == 0 {
                continue;
            }
            let mut at = self.home(entry.hash);
            while self.entries.get(at).is_some_and(|e| e.hash != 0) {
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

/// Slots that are all free, each written once: memory that is first read is given to a process page
/// by page twice, the second time with a halt of all its threads.
fn free<K: Key, A>(slots: usize) -> Box<[Entry<K, A>]> {
    let mut entries = Vec::with_capacity(slots);
    in_huge_pages(entries.spare_capacity_mut());
    entries.extend((0..slots).map(|_| Entry {
        hash: 0,
        key: MaybeUninit::uninit(),
        value: MaybeUninit::uninit(),
    }));
    entries.into_boxed_slice()
}

/// Asks for large pages under a large table: nearly every lookup would miss the TLB without.
fn in_huge_pages<E>(room: &mut [MaybeUninit<E>]) {
    let bytes = room.as_mut_ptr_range();
    let start = bytes.start.addr().next_multiple_of(PAGE_BYTES);
    let end = bytes.end.addr() / PAGE_BYTES * PAGE_BYTES;
    if end.saturating_sub(start) >= HUGE_PAGE_BYTES {
        let at = bytes.start.with_addr(start).cast();
        // SAFETY: the range lies within `room`, which nobody else holds, and the advice does not
        // change what is in it. A refusal costs time only.
        let _ = unsafe { rustix::mm::madvise(at, end - start, rustix::mm::Advice::LinuxHugepage) };
    }
}

/// Replaces a value that lies in a [`Table`] with what `f` makes of it.
///
/// A panic of `f` leaves the value moved out. It is not dropped a second time, because a table
/// that is dropped by a panic leaks its values.
#[inline]
pub(super) fn replace<A>(value: &mut A, f: impl FnOnce(A) -> A) {
    // SAFETY: the value is written back unless `f` panics, and then nobody reads it again: the task
    // is unwinding, its table goes with it (see `Drop` below), and no closure can stop that: only
    // those given to `flat_map_emit` lie above a table on the stack, and `emit` sees to it.
    unsafe {
        let old = std::ptr::read(value);
        std::ptr::write(value, f(old));
    }
}

impl<K: Key, A> Table<K, A> {
    fn drop_values(&mut self) {
        if !needs_drop::<A>() || std::thread::panicking() {
            return;
        }
        for entry in self.entries.iter_mut().filter(|e| e.hash != 0) {
            // SAFETY: a hash other than 0 is written after the value, and each is dropped once.
            unsafe { entry.value.assume_init_drop() }
        }
    }
}

impl<K: Key, A> Drop for Table<K, A> {
    fn drop(&mut self) {
        self.drop_values();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::row::mix;

    impl Table<u64, u64> {
        /// How far from its home a key lies.
        fn probe(&self, hash: u64) -> usize {
            let home = self.home(hash);
            self.entries[home..].iter().position(|entry| entry.hash == hash).unwrap_or(usize::MAX)
        }
    }

    fn add(table: &mut Table<String, u64>, hash: u64, word: &str) {
        table.upsert(hash, word, || 1, |n| *n += 1);
    }

    #[test]
    fn a_table_counts_like_a_map_and_walks_in_hash_order() {
        let (mut table, mut map) = (Table::new(0, 1), BTreeMap::new());
        for i in 0..200_000u64 {
            let word = format!("{}", mix(i, 7) % 30_000 * 1_000_003);
            add(&mut table, String::hash(&word), &word);
            *map.entry(word).or_insert(0) += 1;
        }
        let hashes: Vec<u64> = table.iter().map(|(h, ..)| h).collect();
        let near = |w: &[u64]| w[0] <= w[1] || w[0] - w[1] < u64::MAX / 1000;
        assert!(hashes.windows(2).all(near), "neighbours are nearly in order");
        let counted: BTreeMap<String, u64> = table.iter().map(|(_, k, n)| (k.to_owned(), *n)).collect();
        assert_eq!(counted, map);
    }

    #[test]
    fn keys_that_share_one_hash_are_told_apart() {
        for hash in [0, 1, u64::MAX] {
            let mut table = Table::new(0, 1);
            (0..1000).for_each(|i| add(&mut table, hash, &format!("k{}", i % 300)));
            assert_eq!(table.len(), 300);
            assert!(table.iter().all(|(_, _, n)| *n == 3 || *n == 4), "hash {hash}");
        }
    }

    #[test]
    fn keys_in_hash_order_and_those_of_one_partition_do_not_crowd() {
        let all: Vec<u64> = (0..300_000).map(|i| mix(i, 0x1234_5678_9abc_def1)).collect();
        for partitions in [1, 100, 4096] {
            let mut hashes = all.clone();
            hashes.retain(|hash| partition_of(*hash, partitions) == 0);
            hashes.sort_unstable();
            let mut table: Table<u64, u64> = Table::new(0, 1);
            hashes.iter().for_each(|h| table.upsert(*h, *h, || 1, |n| *n += 1));
            assert_eq!(table.len(), hashes.len());
            assert!(table.homes() <= 4 * hashes.len().max(FIRST_SLOTS), "{} homes", table.homes());
            let farthest = hashes.iter().map(|hash| table.probe(*hash)).max().unwrap_or(0);
            assert!(farthest < 4 * LONG_PROBE, "a key lies {farthest} slots from its home");
        }
    }

    #[test]
    fn the_lower_half_keeps_its_values_and_the_upper_half_is_dropped_once() {
        let mut table: Table<String, Vec<u64>> = Table::new(0, 3);
        // Partition 1 of 3: the middle third of all hashes.
        let hashes: Vec<u64> =
            (0..20_000u64).map(|i| mix(i, 9)).filter(|h| partition_of(*h, 3) == 1).collect();
        for hash in &hashes {
            table.upsert(*hash, &format!("a key that lies in the arena {hash}"), || vec![*hash], |_| ());
        }
        table.keep_lower_half();
        let kept: BTreeMap<u64, String> = table.iter().map(|(h, key, _)| (h, key.to_owned())).collect();
        let lower: Vec<u64> = hashes.iter().copied().filter(|h| partition_of(*h, 6) == 2).collect();
        assert_eq!(kept.len(), lower.len());
        assert!(lower.iter().all(|h| kept[h].ends_with(&format!(" {h}"))));
        assert!(table.iter().all(|(h, _, value)| *value == [h]));
    }

    #[test]
    fn a_cleared_table_holds_nothing_and_takes_keys_again() {
        let mut table = Table::new(0, 1);
        (0..5000).for_each(|i| add(&mut table, mix(i, 3), &format!("k{i}")));
        table.clear();
        assert_eq!((table.len(), table.iter().count()), (0, 0));
        (0..5000).for_each(|i| add(&mut table, mix(i, 3), &format!("k{i}")));
        assert_eq!(table.len(), 5000);
    }

    #[test]
    fn partitions_are_equal_ranges_of_the_hash() {
        assert_eq!(
            [0, u64::MAX / 3 - 9, u64::MAX / 3 + 9, u64::MAX].map(|h| partition_of(h, 3)),
            [0, 0, 1, 2]
        );
    }
}
