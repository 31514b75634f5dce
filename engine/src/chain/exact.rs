//! Closures with an explicit result type, so that results may borrow from the row: the `…_to` methods.
//!
//! rustc infers that a closure is generic over the lifetime of its argument only if the result type,
//! too, is written for every lifetime. The view types of a named row type satisfy that. Functions do
//! not need it (`func`).

use std::marker::PhantomData;

use kiln_planner::Site;

use super::{Func, FuncInfo, Plain, With};
use crate::error::Result;
use crate::row::Row;
use crate::ship::closure::Closure;
use crate::ship::params::{ParamReader, ParamWriter, Ship};

/// A function of one argument with an explicit result type.
pub trait Into1<A, R>: Fn(A) -> R {}
impl<A, R, F: Fn(A) -> R> Into1<A, R> for F {}

/// A function of a shared value and one argument with an explicit result type.
pub trait Into2<'a, P: 'a, A, R>: Fn(&'a P, A) -> R {}
impl<'a, P: 'a, A, R, F: Fn(&'a P, A) -> R> Into2<'a, P, A, R> for F {}

/// A closure whose result is the view of `O`, or for `Result<O, E>` the view or an error.
pub struct Exact<G, O>(G, PhantomData<fn() -> O>);

impl<G, O> Exact<G, O> {
    /// Wraps `func`.
    pub fn new(func: G) -> Self {
        Exact(func, PhantomData)
    }
}

impl<'a, A, O: Row, F: Into1<A, O::View<'a>>> Func<'a, A> for Exact<Plain<F>, O> {
    type Out = O::View<'a>;
    #[inline]
    fn call(&'a self, row: A) -> O::View<'a> {
        (self.0.code())(row)
    }
}

impl<'a, A, O: Row, P: 'a, F: Into2<'a, P, A, O::View<'a>>> Func<'a, A> for Exact<With<P, F>, O> {
    type Out = O::View<'a>;
    #[inline]
    fn call(&'a self, row: A) -> O::View<'a> {
        (self.0.code())(self.0.shared(), row)
    }
}

impl<'a, A, O: Row, E, F: Into1<A, Result<O::View<'a>, E>>> Func<'a, A> for Exact<Plain<F>, Result<O, E>> {
    type Out = Result<O::View<'a>, E>;
    #[inline]
    fn call(&'a self, row: A) -> Self::Out {
        (self.0.code())(row)
    }
}

impl<'a, A, O: Row, E, P: 'a, F> Func<'a, A> for Exact<With<P, F>, Result<O, E>>
where
    F: Into2<'a, P, A, Result<O::View<'a>, E>>,
{
    type Out = Result<O::View<'a>, E>;
    #[inline]
    fn call(&'a self, row: A) -> Self::Out {
        (self.0.code())(self.0.shared(), row)
    }
}

impl<G: FuncInfo, O: 'static> FuncInfo for Exact<G, O> {
    fn site(&self) -> &Site {
        self.0.site()
    }
    fn describe(&self, operator: &'static str) -> Closure {
        self.0.describe(operator)
    }
}

impl<G: Clone, O> Clone for Exact<G, O> {
    fn clone(&self) -> Self {
        Exact(self.0.clone(), PhantomData)
    }
}

impl<G: Ship, O> Ship for Exact<G, O> {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        self.0.ship(params)
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        Ok(Exact(G::rebuild(params)?, PhantomData))
    }
}
