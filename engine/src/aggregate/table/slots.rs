//! The slots of a table, and the memory that they are in: all `unsafe` of the aggregation.
//!
//! A slot is free, and its hash is 0, or its key and its value are initialized. The fields are private to
//! this file, so no code elsewhere can break that rule. Whatever moves a value out of a slot frees the slot
//! first: a panic at any point, caught or not, drops every value once.

#![allow(unsafe_code)]

use std::mem::{MaybeUninit, needs_drop};

use crate::row::Key;

/// The unit of advice about memory.
const PAGE_BYTES: usize = 4096;
/// Smaller tables are left in ordinary pages.
const HUGE_PAGE_BYTES: usize = 2 << 20;

/// Free when the hash is 0; else key and value are there.
pub(super) struct Entry<K: Key, A> {
    hash: u64,
    key: MaybeUninit<K::Slot>,
    value: MaybeUninit<A>,
}

impl<K: Key, A> Entry<K, A> {
    /// The hash of the key, or 0.
    #[inline]
    pub(super) fn hash(&self) -> u64 {
        self.hash
    }

    /// Key and value, unless the slot is free.
    #[inline]
    pub(super) fn get(&self) -> Option<(&K::Slot, &A)> {
        // SAFETY: a slot with a hash is initialized.
        (self.hash != 0).then(|| unsafe { (self.key.assume_init_ref(), self.value.assume_init_ref()) })
    }

    /// The same, and the value may change.
    #[inline]
    pub(super) fn occupied(&mut self) -> Option<(&K::Slot, Occupied<'_, A>)> {
        let Entry { hash, key, value } = self;
        // SAFETY: a slot with a hash is initialized.
        (*hash != 0).then(|| unsafe { (key.assume_init_ref(), Occupied { hash, value }) })
    }

    /// Fills a free slot. A hash of 0 would leave it free, and leak the value.
    #[inline]
    pub(super) fn fill(&mut self, hash: u64, key: K::Slot, value: A) {
        debug_assert!(self.hash == 0 && hash != 0, "a slot is filled once, by a hash that is not 0");
        self.key.write(key);
        self.value.write(value);
        self.hash = hash;
    }

    /// Frees the slot and gives what was in it.
    #[inline]
    pub(super) fn take(&mut self) -> Option<(u64, K::Slot, A)> {
        let hash = std::mem::take(&mut self.hash);
        // SAFETY: a slot with a hash is initialized, and without it nobody reads or drops the value again.
        (hash != 0).then(|| unsafe { (hash, self.key.assume_init(), self.value.assume_init_read()) })
    }

    /// Frees the slot.
    #[inline]
    pub(super) fn clear(&mut self) {
        if std::mem::take(&mut self.hash) != 0 {
            // SAFETY: as in `take`.
            unsafe { self.value.assume_init_drop() }
        }
    }
}

impl<K: Key, A> Drop for Entry<K, A> {
    #[inline]
    fn drop(&mut self) {
        if needs_drop::<A>() {
            self.clear();
        }
    }
}

/// The value of a key that a table holds. `hash` is not 0: only [`Entry::occupied`] makes this.
pub struct Occupied<'t, A> {
    hash: &'t mut u64,
    value: &'t mut MaybeUninit<A>,
}

impl<'t, A> Occupied<'t, A> {
    /// The value where it is.
    #[inline]
    pub fn into_mut(self) -> &'t mut A {
        // SAFETY: a slot with a hash is initialized.
        unsafe { self.value.assume_init_mut() }
    }

    /// Replaces the value by what `f` makes of it.
    ///
    /// While `f` has the value, the slot holds none. If `f` panics, the slot is free and the value is dropped
    /// once, by the panic. The table then lacks this key, and may hold a key twice that was found past the
    /// slot: no task continues with it.
    #[inline]
    pub fn replace(self, f: impl FnOnce(A) -> A) {
        let Occupied { hash, value } = self;
        let on_panic = FreeOnDrop(hash);
        // SAFETY: a slot with a hash is initialized; `on_panic` frees it unless the value is written back.
        let old = unsafe { value.assume_init_read() };
        value.write(f(old));
        std::mem::forget(on_panic);
    }
}

/// Frees a slot whose value was moved out.
struct FreeOnDrop<'t>(&'t mut u64);

impl Drop for FreeOnDrop<'_> {
    fn drop(&mut self) {
        *self.0 = 0;
    }
}

/// Slots that are all free, each written once: memory that is first read is given to a process page
/// by page twice, the second time with a halt of all its threads.
pub(super) fn free<K: Key, A>(slots: usize) -> Box<[Entry<K, A>]> {
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
    // Miri has no such call.
    if end.saturating_sub(start) >= HUGE_PAGE_BYTES && !cfg!(miri) {
        let at = bytes.start.with_addr(start).cast();
        // SAFETY: the range lies within `room`, which nobody else holds, and the advice does not
        // change what is in it. A refusal costs time only.
        let _ = unsafe { rustix::mm::madvise(at, end - start, rustix::mm::Advice::LinuxHugepage) };
    }
}
