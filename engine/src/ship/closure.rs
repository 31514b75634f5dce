//! A user's closure, with the line of the operator that it was passed to.

#![allow(unsafe_code)]

use std::mem::needs_drop;
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::Arc;

use kiln_planner::Site;

use super::params::{ParamReader, ParamWriter, Ship};
use crate::error::{Error, Result};

/// The properties of a closure that are known without calling it.
#[derive(Clone, Debug)]
pub struct Closure {
    /// The operator that it was passed to.
    pub operator: &'static str,
    /// The line in the user's program.
    pub site: Site,
    /// The size of its captures, in bytes.
    pub captured_bytes: usize,
    /// Whether it captures a value with a destructor; such a value may have size 0.
    pub has_destructor: bool,
    /// Whether it is a function pointer, which only looks like a capture.
    pub is_pointer: bool,
}

/// A closure and the line of the operator that it was passed to.
pub struct Code<F> {
    closure: Arc<F>,
    /// The line in the user's program.
    pub site: Site,
}

impl<F> Clone for Code<F> {
    fn clone(&self) -> Self {
        Code { closure: Arc::clone(&self.closure), site: self.site.clone() }
    }
}

impl<F> Deref for Code<F> {
    type Target = F;
    #[inline]
    fn deref(&self) -> &F {
        &self.closure
    }
}

impl<F> Code<F> {
    /// `closure`, passed to an operator at `site`.
    pub fn new(closure: F, site: Site) -> Self {
        Code { closure: Arc::new(closure), site }
    }

    /// The properties of the closure.
    pub fn describe(&self, operator: &'static str) -> Closure {
        Closure {
            operator,
            site: self.site.clone(),
            captured_bytes: size_of::<F>(),
            has_destructor: needs_drop::<F>(),
            is_pointer: std::any::type_name::<F>().starts_with("fn("),
        }
    }
}

impl<F: Send + Sync + 'static> Ship for Code<F> {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        if !is_its_type::<F>() {
            // `captures` normally refuses such a job earlier.
            return Err(Error::bug("a closure with captures cannot travel").at("line", &self.site));
        }
        params.put(&self.site)
    }

    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        Ok(Code { closure: Arc::new(conjure()?), site: params.take()? })
    }
}

/// Whether a closure is determined by its type: it has no bytes, and no zero-sized capture with a destructor,
/// which would be dropped more often than it was created.
pub(super) const fn is_its_type<F>() -> bool {
    size_of::<F>() == 0 && !needs_drop::<F>()
}

/// Creates a closure without captures from its type.
pub(super) fn conjure<F: Send + Sync + 'static>() -> Result<F> {
    if !is_its_type::<F>() {
        return Err(Error::bug("a closure with captures arrived"));
    }
    // SAFETY: a read of a zero-sized value from a dangling, aligned pointer is sound, and a closure without
    // captures is inhabited because the driver has one. Nothing runs when the copy is dropped. Rust offers no
    // check for the one case that breaks this: a closure that captured, by move, a zero-sized token without a
    // destructor whose existence proves something about *this* process. The guide to closures (README) warns
    // of it.
    Ok(unsafe { NonNull::<F>::dangling().as_ptr().read() })
}

#[cfg(test)]
mod soundness {
    use super::*;

    fn from_type<F: Fn() -> u64 + Send + Sync + 'static>(_: &F) -> Result<u64> {
        conjure::<F>().map(|closure| closure())
    }

    #[test]
    fn a_closure_is_made_of_its_type_only_if_it_captures_nothing() {
        fn item() -> u64 {
            4
        }
        let captured = 3_u64;
        assert_eq!(from_type(&|| 3).unwrap(), 3);
        assert_eq!(from_type(&item).unwrap(), 4);
        assert!(from_type(&move || captured).is_err());
        assert!(from_type(&(item as fn() -> u64)).is_err());
    }

    #[test]
    fn a_guard_of_size_0_is_not_dropped_more_often_than_it_is_made() {
        struct Guard;
        impl Drop for Guard {
            fn drop(&mut self) {}
        }
        let guard = Guard;
        let closure = move || {
            let _held = &guard;
            3
        };
        assert_eq!(size_of_val(&closure), 0);
        let error = from_type(&closure).unwrap_err();
        assert_eq!(error.class(), crate::error::Class::Bug);
    }
}
