//! A library with a link-time table, its own stages, and generic stages for the program that uses it.
//!
//! It takes the roles of `kiln` and of a user's library of jobs. `table` is the engine's own file.

use std::any::{Any, type_name};
use std::marker::PhantomData;

#[path = "../../engine/src/ship/table.rs"]
pub mod table;

/// A number that a generic stage knows only from its type.
pub trait Number: 'static {
    const VALUE: u64;
}

/// A stage whose code is the closure type `F`.
struct Stage<F>(PhantomData<F>);

/// A stage that was rebuilt from its type and its parameters.
type Rebuilt = Box<dyn Fn(u64) -> u64>;

impl<F: Fn(u64) -> u64 + 'static> table::Shipped for Stage<F> {
    fn rebuild(params: &[u8]) -> Box<dyn Any> {
        let shift = u64::from(params[0]);
        // SAFETY: `stage` checked that `F` has size 0 and received a value of it.
        let code: &'static F = unsafe { std::ptr::NonNull::dangling().as_ref() };
        let rebuilt: Rebuilt = Box::new(move |n| code(n) + shift);
        Box::new(rebuilt)
    }
}

/// A stage, as one process knows it.
pub struct Known {
    pub name: &'static str,
    pub position: Option<u32>,
    pub code: Rebuilt,
}

/// Creates a stage from a closure and adds it to the table.
pub fn stage<F: Fn(u64) -> u64 + Copy + 'static>(code: F) -> Known {
    assert_eq!(size_of::<F>(), 0);
    // Without its anchor the stage may be missing from the table: a test must then fail.
    #[cfg(not(forget_anchor))]
    table::anchor::<Stage<F>>();
    Known { name: type_name::<Stage<F>>(), position: table::position::<Stage<F>>(), code: Box::new(code) }
}

/// Stages that are compiled with this library.
pub fn own_stages() -> Vec<Known> {
    vec![stage(|n| n * 1000), stage(|n| n * 1000 + 1)]
}

/// A stage that is compiled with the program that names `N`.
pub fn generic_stage<N: Number>() -> Known {
    stage(|n| n * 10_000 + N::VALUE)
}

/// The same for a const generic.
pub fn const_stage<const N: u64>() -> Known {
    stage(|n| n * 100_000 + N)
}

/// Runs the stage at a position of the table, as another process would.
pub fn run(position: usize, params: &[u8], n: u64) -> u64 {
    let rebuilt = (table::table()[position].rebuild)(params);
    let code = rebuilt.downcast::<Rebuilt>().expect("every entry is a stage of this library");
    code(n)
}
