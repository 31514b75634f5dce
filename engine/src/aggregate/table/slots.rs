//! The slots of a table and their memory: all `unsafe` code of the aggregation.
//!
//! A slot is either free, with a hash of 0, or its key and value are initialized. The fields are
//! private to this file, so no other code can break this rule. Code that moves a value out of a slot
//! frees the slot first, so every value is dropped once, even after a caught panic.

#![allow(unsafe_code)]

use std::mem::{MaybeUninit, needs_drop};

use crate::row::Key;

/// The granularity of `madvise`.
const PAGE_BYTES: usize = 4096;
/// Smaller tables stay in ordinary pages.
const HUGE_PAGE_BYTES: usize = 2 << 20;

/// Free when the hash is 0; otherwise key and value are initialized.
pub(super) struct Entry<K: Key, A> {
    hash: u64,
    key: MaybeUninit<K::Slot>,
    value: MaybeUninit<A>,
}

impl<K: Key, A> Entry<K, A> {
    /// The hash of the key, or 0 when the slot is free.
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

    /// The key and a handle to change the value, unless the slot is free.
    #[inline]
    pub(super) fn occupied(&mut self) -> Option<(&K::Slot, Occupied<'_, A>)> {
        let Entry { hash, key, value } = self;
        // SAFETY: a slot with a hash is initialized.
        (*hash != 0).then(|| unsafe { (key.assume_init_ref(), Occupied { hash, value }) })
    }

    /// Fills a free slot. With a hash of 0 the slot would stay free and leak the value.
    #[inline]
    pub(super) fn fill(&mut self, hash: u64, key: K::Slot, value: A) {
        debug_assert!(self.hash == 0 && hash != 0, "a slot is filled once, by a hash that is not 0");
        self.key.write(key);
        self.value.write(value);
        self.hash = hash;
    }

    /// Frees the slot and returns its contents.
    #[inline]
    pub(super) fn take(&mut self) -> Option<(u64, K::Slot, A)> {
        let hash = std::mem::take(&mut self.hash);
        // SAFETY: a slot with a hash is initialized, and once the hash is 0 nobody reads or drops the
        // value again.
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

/// The value of a key in a table. `hash` is not 0, because only [`Entry::occupied`] creates this type.
pub struct Occupied<'t, A> {
    hash: &'t mut u64,
    value: &'t mut MaybeUninit<A>,
}

impl<'t, A> Occupied<'t, A> {
    /// The value, to be changed in place.
    #[inline]
    pub fn into_mut(self) -> &'t mut A {
        // SAFETY: a slot with a hash is initialized.
        unsafe { self.value.assume_init_mut() }
    }

    /// Replaces the value by `f` of the value.
    ///
    /// While `f` owns the value, the slot has none. If `f` panics, the slot is freed and the unwinding
    /// drops the value once. The table then lacks this key, and later keys of the same probe may be
    /// inserted a second time, but no task continues with the table.
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

/// Allocates free slots and writes each of them. If memory is read before it is written, the kernel
/// maps every page twice, and the second time it stops all threads of the process.
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

/// Requests huge pages for a large table. Without them nearly every lookup would miss the TLB.
fn in_huge_pages<E>(room: &mut [MaybeUninit<E>]) {
    let bytes = room.as_mut_ptr_range();
    let start = bytes.start.addr().next_multiple_of(PAGE_BYTES);
    let end = bytes.end.addr() / PAGE_BYTES * PAGE_BYTES;
    // Miri does not support this call.
    if end.saturating_sub(start) >= HUGE_PAGE_BYTES && !cfg!(miri) {
        let at = bytes.start.with_addr(start).cast();
        // SAFETY: the range is inside `room`, to which nobody else has access, and the advice does not
        // change its contents. An error costs only time.
        let _ = unsafe { rustix::mm::madvise(at, end - start, rustix::mm::Advice::LinuxHugepage) };
    }
}
