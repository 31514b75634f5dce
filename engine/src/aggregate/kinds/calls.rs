//! The closures of an aggregate as it calls them: with the value that was declared for them, or without.
//!
//! `S` is that value: [`NoShared`], or a [`Shared`] that goes in as the first argument. It stands
//! beside the closures of an aggregate once, so it also travels once.

use crate::error::Result;
use crate::ship::params::{ParamReader, ParamWriter, Ship};
use crate::ship::shared::{Param, Shared};

/// No value was declared.
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
    /// Calls it.
    fn call1(&self, shared: &S, a: A) -> R;
}

/// A closure of two arguments.
pub trait Call2<S, A, B, R> {
    /// Calls it.
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
