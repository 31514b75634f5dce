//! The link-time table of operators: each instantiation adds one pointer to the binary.
//!
//! [`anchor`] is a generic function with an `asm!` block that writes the address of the type's `describe`
//! into a section; the linker collects the section and defines symbols for its two ends. The same binary has
//! the same table in every process, so a position in it identifies code. Nothing else may write to this
//! section. This file only uses `std`, so that a test can build it alone under every optimisation level and
//! linker setting.

#![allow(unsafe_code)]

use std::any::{Any, TypeId, type_name};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::OnceLock;

/// A type that another process can recreate from its table position and its parameters.
pub trait Shipped: 'static {
    /// Creates the value from what its counterpart on the driver wrote.
    fn rebuild(params: &[u8]) -> Box<dyn Any>;
}

/// An entry: a type and the function that recreates it.
#[derive(Clone, Copy)]
pub struct Entry {
    id: TypeId,
    /// The name of the type, for messages and for the fingerprint.
    pub name: &'static str,
    /// [`Shipped::rebuild`] of the type.
    pub rebuild: fn(&[u8]) -> Box<dyn Any>,
}

/// Adds `S` to the table of the binary.
#[inline(never)]
pub fn anchor<S: Shipped>() {
    #[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"), not(miri)))]
    // SAFETY: the block emits no instruction. It adds to the section the address of a function of the type
    // that `table` reads back: `fn() -> Entry`. The compiler may duplicate the block; `table` drops repeated
    // types.
    unsafe {
        std::arch::asm!(
            ".pushsection kiln_stages,\"awR\",@progbits",
            ".balign 8",
            ".quad {describe}",
            ".popsection",
            describe = sym describe::<S>,
            options(nomem, nostack, preserves_flags)
        )
    }
}

fn describe<S: Shipped>() -> Entry {
    Entry { id: TypeId::of::<S>(), name: type_name::<S>(), rebuild: S::rebuild }
}

/// All entries of this binary, in link order.
pub fn table() -> &'static [Entry] {
    static TABLE: OnceLock<Vec<Entry>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut entries: Vec<Entry> = Vec::new();
        for describe in section::pointers() {
            let entry = describe();
            if !entries.iter().any(|known| known.id == entry.id) {
                entries.push(entry);
            }
        }
        entries
    })
}

/// The position of `S` in the table; `None` on a platform without one.
pub fn position<S: ?Sized + 'static>() -> Option<u32> {
    table().iter().position(|e| e.id == TypeId::of::<S>()).map(|at| at as u32)
}

/// A hash of the table's length and names, which is equal in all processes of one binary.
pub fn fingerprint() -> u64 {
    let mut hasher = DefaultHasher::new();
    table().iter().for_each(|entry| entry.name.hash(&mut hasher));
    table().len().hash(&mut hasher);
    hasher.finish()
}

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"), not(miri)))]
mod section {
    use super::Entry;

    // The section must exist even in a program without a stage, or its two ends cannot be linked.
    std::arch::global_asm!(".pushsection kiln_stages,\"awR\",@progbits", ".balign 8", ".popsection");

    unsafe extern "C" {
        #[link_name = "__start_kiln_stages"]
        static START: usize;
        #[link_name = "__stop_kiln_stages"]
        static STOP: usize;
    }

    /// The functions whose addresses are in the section.
    pub(super) fn pointers() -> Vec<fn() -> Entry> {
        let (start, stop) = (&raw const START, &raw const STOP);
        // SAFETY: both are the ends of one section, which contains only aligned addresses of functions of the
        // type `fn() -> Entry`, written by `anchor`.
        unsafe {
            let count = stop.offset_from(start) as usize;
            (0..count).map(|i| start.cast::<fn() -> Entry>().add(i).read()).collect()
        }
    }
}

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"), not(miri))))]
mod section {
    /// There is no table here, nor under Miri, which has no linker: jobs only run in one process.
    pub(super) fn pointers() -> Vec<fn() -> super::Entry> {
        Vec::new()
    }
}
