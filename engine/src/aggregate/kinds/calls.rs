//! Calls the closures of an aggregate, with or without a shared value.
//!
//! `S` is the shared value: [`NoShared`], or a [`Shared`] that is passed as the first argument. An
//! aggregate stores it once for all its closures, so it is also sent once.

use crate::error::Result;
use crate::ship::params::{ParamReader, ParamWriter, Ship};
use crate::ship::shared::{Param, Shared};

/// There is no shared value.
#[derive(Clone, Copy)]
pub struct NoShared;

impl Ship for NoShared {
    fn ship(&self, _: &mut ParamWriter) -> Result<()> {
        Ok(())
    }
    fn rebuild(_: &mut ParamReader<'_>) -> Result<Self> {
        Ok(NoShared)
    }
}

/// A closure of one argument.
pub trait Call1<S, A, R> {
    /// Calls the closure.
    fn call1(&self, shared: &S, a: A) -> R;
}

/// A closure of two arguments.
pub trait Call2<S, A, B, R> {
    /// Calls the closure.
    fn call2(&self, shared: &S, a: A, b: B) -> R;
}

impl<A, R, F: Fn(A) -> R> Call1<NoShared, A, R> for F {
    #[inline]
    fn call1(&self, _: &NoShared, a: A) -> R {
        self(a)
    }
}

impl<P: Param, A, R, F: Fn(&P, A) -> R> Call1<Shared<P>, A, R> for F {
    #[inline]
    fn call1(&self, shared: &Shared<P>, a: A) -> R {
        self(shared, a)
    }
}

impl<A, B, R, F: Fn(A, B) -> R> Call2<NoShared, A, B, R> for F {
    #[inline]
    fn call2(&self, _: &NoShared, a: A, b: B) -> R {
        self(a, b)
    }
}

impl<P: Param, A, B, R, F: Fn(&P, A, B) -> R> Call2<Shared<P>, A, B, R> for F {
    #[inline]
    fn call2(&self, shared: &Shared<P>, a: A, b: B) -> R {
        self(shared, a, b)
    }
}
