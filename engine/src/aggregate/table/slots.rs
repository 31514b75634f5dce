//! The slots of a table, and the memory that they lie in.

use std::mem::MaybeUninit;

use crate::row::Key;

/// The unit of advice about memory.
const PAGE_BYTES: usize = 4096;
/// Smaller tables are left in ordinary pages.
const HUGE_PAGE_BYTES: usize = 2 << 20;

/// Free when the hash is 0; else key and value are there.
pub(super) struct Entry<K: Key, A> {
    pub(super) hash: u64,
    pub(super) key: MaybeUninit<K::Slot>,
    pub(super) value: MaybeUninit<A>,
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
    if end.saturating_sub(start) >= HUGE_PAGE_BYTES {
        let at = bytes.start.with_addr(start).cast();
        // SAFETY: the range lies within `room`, which nobody else holds, and the advice does not
        // change what is in it. A refusal costs time only.
        let _ = unsafe { rustix::mm::madvise(at, end - start, rustix::mm::Advice::LinuxHugepage) };
    }
}
