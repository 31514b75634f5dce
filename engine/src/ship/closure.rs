//! A user's closure beside the line it stands on.

use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::Arc;

use kiln_planner::Site;

use super::params::{ParamReader, ParamWriter, Ship};
use crate::error::{Error, Result};

/// What is known of a closure without calling it.
#[derive(Clone, Debug)]
pub struct Closure {
    /// The operator that it was given to.
    pub operator: &'static str,
    /// The user's line.
    pub site: Site,
    /// Bytes that it captures.
    pub captured_bytes: usize,
    /// Whether it is a function pointer, which only looks like a capture.
    pub is_pointer: bool,
}

/// A closure and the line of the operator it was given to.
pub struct Code<F> {
    closure: Arc<F>,
    /// The user's line.
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
    /// `closure`, given to an operator at `site`.
    pub fn new(closure: F, site: Site) -> Self {
        Code { closure: Arc::new(closure), site }
    }

    /// What is known of it.
    pub fn describe(&self, operator: &'static str) -> Closure {
        Closure {
            operator,
            site: self.site.clone(),
            captured_bytes: size_of::<F>(),
            is_pointer: std::any::type_name::<F>().starts_with("fn("),
        }
    }
}

impl<F: Send + Sync + 'static> Ship for Code<F> {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        if size_of::<F>() != 0 {
            // The job is refused before it comes to this: see `captures`.
            return Err(Error::bug("a closure with captures cannot travel").at("line", &self.site));
        }
        params.put(&self.site)
    }

    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        Ok(Code { closure: Arc::new(conjure()?), site: params.take()? })
    }
}

/// The value of a closure that captures nothing, made from its type.
pub(super) fn conjure<F: Send + Sync + 'static>() -> Result<F> {
    if size_of::<F>() != 0 {
        return Err(Error::bug("a closure with captures arrived"));
    }
    // SAFETY: a read of a zero-sized value from a dangling, aligned pointer is sound, and a closure
    // without captures is inhabited because the driver holds one. The one case that this breaks:
    // a closure that captured, by move, a zero-sized token whose existence proves something about
    // *this* process. Users are told so in the guide to closures (README).
    Ok(unsafe { NonNull::<F>::dangling().as_ptr().read() })
}
